"""Users and items to begin with, each stored by a unit of work of its own."""

from collections.abc import Callable

from sqlalchemy import func, select

from adapters.sql.mapping.tables import items
from domain.items import Item
from domain.users import User
from entrypoints.container import SqlContainer
from service_layer.ports import UnitOfWork

Units = Callable[[], UnitOfWork]


def stored_user(units: Units, email: str = "a@example.com", **values: object) -> int:
    user = User(**{"email": email, "hashed_password": "x", **values})  # type: ignore[arg-type]  # the tests name the fields
    with units() as uow:
        uow.users.add(user)
        uow.commit()
    assert user.id is not None
    return user.id


def stored_item(units: Units, **values: object) -> int:
    item = Item(**{"title": "Towel", **values})  # type: ignore[arg-type]  # the tests name the fields
    with units() as uow:
        uow.items.add(item)
        uow.commit()
    assert item.id is not None
    return item.id


def rich_user(container: SqlContainer, count: int) -> int:
    """A user with so many items."""
    user_id = stored_user(container.unit_of_work)
    values = {"title": "Towel", "description": "Big", "owner_id": user_id, "version": 1, "search_text": "towel\nbig"}
    with container.engines().writer.begin() as connection:
        for _ in range(0, count, 10_000):
            connection.execute(items.insert(), [values] * min(count, 10_000))
    return user_id


def rows_of_items(container: SqlContainer) -> int:
    """How many items of users the table has, hidden ones included."""
    with container.engines().reader.connect() as connection:
        return connection.scalar(select(func.count()).where(items.c.owner_id.is_not(None))) or 0
