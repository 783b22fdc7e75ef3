"""Views: each query is one statement that selects only the columns it needs, without entities."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from operator import itemgetter

from sqlalchemy import Engine, SelectBase

from adapters.sql.engine.driver import Query
from adapters.sql.mapping.removals import FIRST_REMOVED
from adapters.sql.reading import parameters
from adapters.sql.reading.item_lists import item_count, item_page, quick_item_page
from adapters.sql.reading.reader import Reader, Row
from adapters.sql.reading.statements import statements_for, user_count, user_page
from service_layer.read_models import (
    ALL_ITEMS,
    ALL_USERS,
    EMBEDDED_ITEMS,
    ItemFilter,
    ItemView,
    Owner,
    Page,
    PageParams,
    UserFilter,
    UserView,
    bounded,
    items_page,
)
from service_layer.scans import is_scan, require_scan_thread

_CACHE_SIZE = 256
"""The most compiled statements that are cached."""


class SqlAlchemyViews:
    """Queries of users and items. One object serves all threads.

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
        self._first_removed = self._reader.query(FIRST_REMOVED)
        self._user = self._reader.query(statements.user)
        self._users = self._reader.query(statements.users)
        self._cached = lru_cache(_CACHE_SIZE)(self._compiled)

    def _compiled(self, statement: Callable[..., SelectBase], *shape: object) -> Query:
        return self._reader.query(statement(*shape), custom_plan=True)

    def user(self, user_id: int) -> UserView | None:
        rows = self._reader.rows(self._user, user=user_id, after=0, skip=0, rows=EMBEDDED_ITEMS)
        return _with_items(rows)[0] if rows else None

    def users(self, page: PageParams, filter: UserFilter = ALL_USERS) -> Page[UserView]:
        query, values = self._users, {}
        if filter != ALL_USERS:
            values = parameters.user_parameters(filter)
            query = self._cached(user_page, self._dialect, tuple(values))
        reader = self._scanner if is_scan(page) else self._reader
        some = partial(_up_to, page.characters)
        rows, ended = reader.some_rows(query, some, **parameters.page_parameters(page), **values)
        if self._dialect == "mysql":
            rows.sort(key=itemgetter(0, 6))  # by user and item
        found = Page.cut(_with_items(rows), page.limit)
        return bounded(found, page.characters) if ended else found  # items of the last user may be missing

    def count_users(self, filter: UserFilter = ALL_USERS) -> int:
        values = parameters.user_parameters(filter)
        return _scalar(self._scanner.rows(self._cached(user_count, tuple(values)), **values))

    def item(self, item_id: int) -> ItemView | None:
        rows = self._reader.rows(self._quick_item, item=item_id) or self._reader.rows(self._item, item=item_id)
        return _items(rows)[0] if rows else None

    def items(self, page: PageParams, filter: ItemFilter = ALL_ITEMS) -> Page[ItemView]:
        reader = self._scanner if is_scan(page, filter) else self._reader
        if filter == ALL_ITEMS:
            values = parameters.page_parameters(page)
            rows = reader.rows(self._quick_items, **values) or self._rows_with_hidden(reader, self._items, values)
        else:
            sort, start = parameters.simplify_sort(filter, page)
            values = parameters.item_parameters(filter, self._dialect) | parameters.sorted_page_parameters(start, sort)
            shape = self._dialect, sort, tuple(values)
            if reader is self._scanner or filter.owner is not Owner.ANY:
                rows = reader.rows(self._cached(item_page, *shape), **values)
            else:
                rows = reader.rows(self._cached(quick_item_page, *shape), **values) or self._rows_with_hidden(
                    reader, self._cached(item_page, *shape), values
                )
        return items_page(_items(rows), page)

    def _rows_with_hidden(self, reader: Reader, query: Query, values: parameters.Parameters) -> list[Row]:
        """Run a query that passes over the items of removed users, as a scan if there are any."""
        if reader is self._reader and reader.rows(self._first_removed):
            require_scan_thread()
            reader = self._scanner
        return reader.rows(query, **values)

    def count_items(self, filter: ItemFilter = ALL_ITEMS) -> int:
        values = parameters.item_parameters(filter, self._dialect)
        return _scalar(self._scanner.rows(self._cached(item_count, self._dialect, tuple(values)), **values))

    def user_items(self, user_id: int, page: PageParams) -> Page[ItemView] | None:
        reader = self._scanner if is_scan(page) else self._reader
        rows = reader.rows(self._user, user=user_id, **parameters.page_parameters(page))
        return items_page(_with_items(rows)[0]["items"], page) if rows else None


def _scalar(rows: Sequence[Row]) -> int:
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
    """Read chunks until their descriptions exceed this size; return the rows, and whether that happened."""
    rows: list[Row] = []
    size = 0
    for chunk in chunks:
        rows += chunk
        size += sum([len(description) for row in chunk if (description := row[4])])
        if size > characters:
            return rows, True
    return rows, False


def _with_items(rows: Sequence[Row]) -> list[UserView]:
    """Group rows of users and items into users with their items."""
    users: list[UserView] = []
    last = None
    for user_id, email, is_active, title, description, cents, id, owner_id in rows:
        if user_id != last:
            last = user_id
            own: list[ItemView] = []
            users.append({"email": email, "id": user_id, "is_active": bool(is_active), "items": own})
        if id:
            price = None if cents is None else cents / 100
            own.append({"title": title, "description": description, "price": price, "id": id, "owner_id": owner_id})
    return users
