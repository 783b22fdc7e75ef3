"""The read side: one statement an answer, exactly the columns it needs, no entities."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Engine, Select, and_, bindparam, func, select, true, type_coerce

from adapters.sql.errors import in_domain_terms
from adapters.sql.tables import items, users
from service_layer.read_models import EMBEDDED_ITEMS, ID_MAX, ItemView, Page, PageRequest, UserView

_USER = (users.c.id.label("user_id"), users.c.email, users.c.is_active)
_ITEM = (
    items.c.title,
    items.c.description,
    type_coerce(items.c.price, BigInteger).label("cents"),
    items.c.id,
    items.c.owner_id,
)


def _page(statement: Select[Any], id: Any) -> Select[Any]:
    """The statement, cut to the page that ``_cut`` asks for."""
    return (
        statement.where(id > bindparam("after"))
        .order_by(id)
        .limit(bindparam("rows", type_=BigInteger))
        .offset(bindparam("skip", type_=BigInteger))
    )


_ONE_ITEM = select(*_ITEM).where(items.c.id == bindparam("item"))

_ITEMS = _page(select(*_ITEM), items.c.id)

_own_items = _page(select(*_ITEM).where(items.c.owner_id == bindparam("user")), items.c.id).subquery("own_items")
# One row a user even where there is no item, so that one statement tells "none" from "nobody".
_ONE_USER = (
    select(*_USER, *_own_items.c)
    .select_from(users.outerjoin(_own_items, true()))
    .where(users.c.id == bindparam("user"))
    .order_by(_own_items.c.id)
)

_some_users = _page(select(*_USER), users.c.id).subquery("some_users")
# The last item to embed is found by an index of its own seek: somebody with a million items costs no more.
_embedded = items.alias("embedded")
_last_embedded = (
    select(_embedded.c.id)
    .where(_embedded.c.owner_id == _some_users.c.user_id)
    .order_by(_embedded.c.id)
    .limit(1)
    .offset(EMBEDDED_ITEMS - 1)
    .scalar_subquery()
)
_USERS = (
    select(*_some_users.c, *_ITEM)
    .select_from(
        _some_users.outerjoin(
            items,
            and_(items.c.owner_id == _some_users.c.user_id, items.c.id <= func.coalesce(_last_embedded, ID_MAX)),
        )
    )
    .order_by(_some_users.c.user_id, items.c.id)
)


class SqlAlchemyViews:
    """Reads through the reader engine, whose connections are in autocommit."""

    def __init__(self, reader: Engine) -> None:
        self._reader = reader

    def user(self, user_id: int) -> UserView | None:
        rows = self._rows(_ONE_USER, user=user_id, after=0, skip=0, rows=EMBEDDED_ITEMS)
        return _user(rows) if rows else None

    def users(self, page: PageRequest) -> Page[UserView]:
        rows = self._rows(_USERS, **_cut(page))
        users = [_user(list(group)) for _, group in groupby(rows, itemgetter(0))]
        return Page.cut(users, page.limit)

    def item(self, item_id: int) -> ItemView | None:
        rows = self._rows(_ONE_ITEM, item=item_id)
        return _item(rows[0]) if rows else None

    def items(self, page: PageRequest) -> Page[ItemView]:
        rows = self._rows(_ITEMS, **_cut(page))
        return Page.cut([_item(row) for row in rows], page.limit)

    def user_items(self, user_id: int, page: PageRequest) -> Page[ItemView] | None:
        rows = self._rows(_ONE_USER, user=user_id, **_cut(page))
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
