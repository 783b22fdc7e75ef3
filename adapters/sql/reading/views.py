"""The read side: one statement an answer, exactly the columns it needs, no entities."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial

from sqlalchemy import Engine, SelectBase

from adapters.sql.engine.driver import Query
from adapters.sql.reading import parameters
from adapters.sql.reading.item_lists import item_count, item_page
from adapters.sql.reading.reader import Reader, Row
from adapters.sql.reading.statements import statements_for, user_count, user_page
from service_layer.read_models import (
    ALL_ITEMS,
    ALL_USERS,
    EMBEDDED_ITEMS,
    ItemFilter,
    ItemView,
    Page,
    PageParams,
    UserFilter,
    UserView,
    bounded,
    items_page,
)
from service_layer.scans import is_scan

_KEPT = 256
"""Statements at most that are kept compiled, of each kind."""


class SqlAlchemyViews:
    """Reads, each with one statement; one object serves all threads.

    :param reader: an engine whose connections are in autocommit.
    :param scanner: another one, for scans.
    """

    def __init__(self, reader: Engine, scanner: Engine) -> None:
        self._dialect = reader.dialect.name
        self._reader = Reader(reader)
        self._scanner = Reader(scanner)
        statements = statements_for(self._dialect)
        self._item = self._reader.query(statements.item)
        self._quick_item = self._reader.query(statements.quick_item)
        self._items = self._reader.query(statements.items)
        self._quick_items = self._reader.query(statements.quick_items)
        self._user = self._reader.query(statements.user)
        self._users = self._reader.query(statements.users)
        self._kept = lru_cache(_KEPT)(self._compiled)

    def _compiled(self, statement: Callable[..., SelectBase], *shape: object) -> Query:
        return self._reader.query(statement(*shape), custom_plan=True)

    def user(self, user_id: int) -> UserView | None:
        rows = self._reader.rows(self._user, user=user_id, after=0, skip=0, rows=EMBEDDED_ITEMS)
        return _with_items(rows)[0] if rows else None

    def users(self, page: PageParams, filter: UserFilter = ALL_USERS) -> Page[UserView]:
        query, asked = self._users, {}
        if filter != ALL_USERS:
            asked = parameters.user_parameters(filter)
            query = self._kept(user_page, self._dialect, tuple(asked))
        reader = self._scanner if is_scan(page) else self._reader
        some = partial(_up_to, page.characters)
        rows, ended = reader.some_rows(query, some, **parameters.page_parameters(page), **asked)
        found = Page.cut(_with_items(rows), page.limit)
        return bounded(found, page.characters) if ended else found  # the last user may have more items

    def count_users(self, filter: UserFilter = ALL_USERS) -> int:
        asked = parameters.user_parameters(filter)
        return _number(self._scanner.rows(self._kept(user_count, tuple(asked)), **asked))

    def item(self, item_id: int) -> ItemView | None:
        rows = self._reader.rows(self._quick_item, item=item_id) or self._reader.rows(self._item, item=item_id)
        return _items(rows)[0] if rows else None

    def items(self, page: PageParams, filter: ItemFilter = ALL_ITEMS) -> Page[ItemView]:
        reader = self._scanner if is_scan(page, filter) else self._reader
        if filter == ALL_ITEMS:
            asked = parameters.page_parameters(page)
            rows = reader.rows(self._quick_items, **asked) or reader.rows(self._items, **asked)
        else:
            sort, place = parameters.simplify_sort(filter, page)
            asked = parameters.item_parameters(filter, self._dialect) | parameters.sorted_page_parameters(place, sort)
            rows = reader.rows(self._kept(item_page, self._dialect, sort, tuple(asked)), **asked)
        return items_page(_items(rows), page)

    def count_items(self, filter: ItemFilter = ALL_ITEMS) -> int:
        asked = parameters.item_parameters(filter, self._dialect)
        return _number(self._scanner.rows(self._kept(item_count, self._dialect, tuple(asked)), **asked))

    def user_items(self, user_id: int, page: PageParams) -> Page[ItemView] | None:
        reader = self._scanner if is_scan(page) else self._reader
        rows = reader.rows(self._user, user=user_id, **parameters.page_parameters(page))
        return items_page(_with_items(rows)[0]["items"], page) if rows else None


def _number(rows: Sequence[Row]) -> int:
    return int(rows[0][0])


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


def _up_to(characters: int, chunks: Iterator[Sequence[Row]]) -> tuple[list[Row], bool]:
    """Rows of users with their items, and whether the last chunk is the one with which they have more characters."""
    rows: list[Row] = []
    size = 0
    for chunk in chunks:
        rows += chunk
        size += sum([len(description) for row in chunk if (description := row[4])])
        if size > characters:
            return rows, True
    return rows, False


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
