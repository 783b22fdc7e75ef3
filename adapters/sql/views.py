"""The read side: one statement an answer, exactly the columns it needs, no entities."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Engine, Select

from adapters.sql.errors import in_domain_terms
from adapters.sql.statements import statements_for
from service_layer.read_models import EMBEDDED_ITEMS, ItemView, Page, PageRequest, UserView


class SqlAlchemyViews:
    """Reads through the reader engine, whose connections are in autocommit."""

    def __init__(self, reader: Engine) -> None:
        self._reader = reader
        self._statements = statements_for(reader.dialect.name)

    def user(self, user_id: int) -> UserView | None:
        rows = self._rows(self._statements.user, user=user_id, after=0, skip=0, rows=EMBEDDED_ITEMS)
        return _user(rows) if rows else None

    def users(self, page: PageRequest) -> Page[UserView]:
        rows = self._rows(self._statements.users, **_cut(page))
        users = [_user(list(group)) for _, group in groupby(rows, itemgetter(0))]
        return Page.cut(users, page.limit)

    def item(self, item_id: int) -> ItemView | None:
        rows = self._rows(self._statements.item, item=item_id)
        return _item(rows[0]) if rows else None

    def items(self, page: PageRequest) -> Page[ItemView]:
        rows = self._rows(self._statements.items, **_cut(page))
        return Page.cut([_item(row) for row in rows], page.limit)

    def user_items(self, user_id: int, page: PageRequest) -> Page[ItemView] | None:
        rows = self._rows(self._statements.user, user=user_id, **_cut(page))
        return Page.cut(_own(rows), page.limit) if rows else None

    def _rows(self, statement: Select[Any], **parameters: int) -> Sequence[Sequence[Any]]:
        with in_domain_terms(), self._reader.connect() as connection:
            return connection.execute(statement, parameters).all()


def _cut(page: PageRequest) -> dict[str, int]:
    """One row more than is shown tells whether there are more."""
    return {"after": page.after, "skip": page.skip, "rows": page.limit + 1}


def _item(row: Sequence[Any]) -> ItemView:
    title, description, cents, id, owner_id = row
    return {
        "title": title,
        "description": description,
        "price": None if cents is None else cents / 100,
        "id": id,
        "owner_id": owner_id,
    }


def _user(rows: Sequence[Sequence[Any]]) -> UserView:
    id, email, is_active = rows[0][:3]
    return {"email": email, "id": id, "is_active": is_active, "items": _own(rows)}


def _own(rows: Sequence[Sequence[Any]]) -> list[ItemView]:
    """The items in rows that each begin with their owner's three columns."""
    return [_item(row[3:]) for row in rows if row[6] is not None]
