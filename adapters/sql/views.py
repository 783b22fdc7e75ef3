"""The read side: one statement an answer, exactly the columns it needs, no entities."""

from collections.abc import Sequence

from sqlalchemy import Engine

from adapters.sql.reader import Reader, Row
from adapters.sql.statements import statements_for
from service_layer.read_models import EMBEDDED_ITEMS, ItemView, Page, PageRequest, UserView


class SqlAlchemyViews:
    """Reads through the reader engine; one object serves all threads.

    :param reader: an engine whose connections are in autocommit.
    """

    def __init__(self, reader: Engine) -> None:
        statements = statements_for(reader.dialect.name)
        self._reader = Reader(reader)
        self._item = self._reader.query(statements.item)
        self._items = self._reader.query(statements.items)
        self._user = self._reader.query(statements.user)
        self._users = self._reader.query(statements.users)

    def user(self, user_id: int) -> UserView | None:
        rows = self._reader.rows(self._user, user=user_id, after=0, skip=0, rows=EMBEDDED_ITEMS)
        return _with_items(rows)[0] if rows else None

    def users(self, page: PageRequest) -> Page[UserView]:
        return Page.cut(_with_items(self._reader.rows(self._users, **_cut(page))), page.limit)

    def item(self, item_id: int) -> ItemView | None:
        rows = self._reader.rows(self._item, item=item_id)
        return _items(rows)[0] if rows else None

    def items(self, page: PageRequest) -> Page[ItemView]:
        rows = self._reader.rows(self._items, **_cut(page))
        return Page.cut(_items(rows), page.limit)

    def user_items(self, user_id: int, page: PageRequest) -> Page[ItemView] | None:
        rows = self._reader.rows(self._user, user=user_id, **_cut(page))
        return Page.cut(_with_items(rows)[0]["items"], page.limit) if rows else None


def _cut(page: PageRequest) -> dict[str, int]:
    """One row more than is shown tells whether there are more."""
    return {"after": page.after, "skip": page.skip, "rows": page.limit + 1}


def _items(rows: Sequence[Row]) -> list[ItemView]:
    return [
        {
            "title": title,
            "description": description,
            "price": None if cents is None else cents / 100,
            "id": id,
            "owner_id": owner_id,
        }
        for title, description, cents, id, owner_id in rows
    ]


def _with_items(rows: Sequence[Row]) -> list[UserView]:
    """Users, from rows of their three columns and the five of one of their items, or of none."""
    users: list[UserView] = []
    last = None
    for user_id, email, is_active, title, description, cents, id, owner_id in rows:
        if user_id != last:
            last = user_id
            own: list[ItemView] = []
            users.append({"email": email, "id": user_id, "is_active": bool(is_active), "items": own})
        if id is not None:
            price = None if cents is None else cents / 100
            own.append({"title": title, "description": description, "price": price, "id": id, "owner_id": owner_id})
    return users
