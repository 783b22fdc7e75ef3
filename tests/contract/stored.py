"""Users and items to begin with, each stored by a unit of work of its own."""

from collections.abc import Callable

from domain.items import Item
from domain.users import User
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
