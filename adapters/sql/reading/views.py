"""Views: each query is one statement that selects only the columns it needs, without entities."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache, partial
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Engine, SelectBase

from adapters.sql.engine.driver import Query
from adapters.sql.mapping.removals import FIRST_REMOVED
from adapters.sql.reading import lists
from adapters.sql.reading.columns import views_of_rows
from adapters.sql.reading.conditions import hidden_columns
from adapters.sql.reading.parameters import (
    Parameters,
    filter_parameters,
    page_parameters,
    simplify_sort,
    sorted_page_parameters,
)
from adapters.sql.reading.reader import Reader, Row
from adapters.sql.reading.statements import USER_COLUMNS, user_page, user_statement
from service_layer.aggregates import NO_FILTER, Aggregate, AnyAggregate, Entity, Filter, View
from service_layer.read_models import (
    EMBEDDED_ITEMS,
    ITEMS,
    USERS,
    ItemView,
    Page,
    PageParams,
    UserView,
    bounded,
    page_of,
)
from service_layer.scans import is_scan, require_scan_thread

_CACHE_SIZE = 256
"""The most compiled statements with filters or sorts that are cached."""

_ITEM_ID = len(USER_COLUMNS) + ITEMS.columns.index("id")
_LONG_TEXTS = [len(USER_COLUMNS) + ITEMS.columns.index(text) for text in ITEMS.long_texts]


class SqlAlchemyViews:
    """Queries of all aggregates. One object serves all threads.

    :param reader: an engine whose connections are in autocommit.
    :param scanner: another one, for scans.
    """

    def __init__(self, reader: Engine, scanner: Engine) -> None:
        self._dialect = reader.dialect.name
        self._reader = Reader(reader)
        self._scanner = Reader(scanner)
        self._first_removed = self._reader.query(FIRST_REMOVED)
        self._user = self._reader.query(user_statement(self._dialect))
        self._users = self._reader.query(user_page(self._dialect, ()))
        self._fixed = cache(self._compiled)
        self._cached = lru_cache(_CACHE_SIZE)(partial(self._compiled, custom_plan=True))

    def _compiled(self, statement: Callable[..., SelectBase], *shape: object, custom_plan: bool = False) -> Query:
        return self._reader.query(statement(*shape), custom_plan=custom_plan)

    def read(self, aggregate: Aggregate[Entity, View], id: int) -> View | None:
        if aggregate is USERS:
            return cast(View | None, self._read_user(id))
        rows: Sequence[Row] = ()
        if hidden_columns(aggregate):
            rows = self._reader.rows(self._fixed(lists.row, True, aggregate, self._dialect), id=id)
        rows = rows or self._reader.rows(self._fixed(lists.row, False, aggregate, self._dialect), id=id)
        return views_of_rows(aggregate)(rows)[0] if rows else None

    def list(self, aggregate: Aggregate[Entity, View], page: PageParams, filter: Filter = NO_FILTER) -> Page[View]:
        reader = self._scanner if is_scan(aggregate, page, filter) else self._reader
        if aggregate is USERS:
            return cast(Page[View], self._list_users(reader, page, filter))
        if filter or page.sort != "id":
            rows = self._sorted_rows(reader, aggregate, page, filter)
        else:
            queries = partial(self._fixed, lists.all_rows)
            shape, values = (aggregate, self._dialect), page_parameters(page)
            rows = self._rows(reader, queries, shape, values, quick=bool(hidden_columns(aggregate)))
        return page_of(aggregate, views_of_rows(aggregate)(rows), page)

    def _sorted_rows(self, reader: Reader, aggregate: AnyAggregate, page: PageParams, filter: Filter) -> Sequence[Row]:
        page = simplify_sort(aggregate, page, filter)
        filters, values = filter_parameters(aggregate, filter, self._dialect)
        values |= sorted_page_parameters(aggregate, page)
        start = tuple(name for name in ("after", "value") if name in values)
        shape = aggregate, self._dialect, page.sort, filters, start
        quick = reader is self._reader and bool(hidden_columns(aggregate, filters))
        return self._rows(reader, partial(self._cached, lists.sorted_rows), shape, values, quick=quick)

    def _rows(
        self, reader: Reader, queries: Callable[..., Query], shape: tuple[Any, ...], values: Parameters, *, quick: bool
    ) -> Sequence[Row]:
        """Run a query; if ``quick``, its quick form first, and then the other as a scan if a user is being removed."""
        if quick:
            if rows := reader.rows(queries(True, *shape), **values):
                return rows
            if reader is self._reader and reader.rows(self._first_removed):
                require_scan_thread()
                reader = self._scanner
        return reader.rows(queries(False, *shape), **values)

    def count(self, aggregate: AnyAggregate, filter: Filter = NO_FILTER) -> int:
        filters, values = filter_parameters(aggregate, filter, self._dialect)
        rows = self._scanner.rows(self._cached(lists.count, aggregate, self._dialect, filters), **values)
        return int(rows[0][0])

    def user_items(self, user_id: int, page: PageParams) -> Page[ItemView] | None:
        reader = self._scanner if is_scan(ITEMS, page) else self._reader
        rows = reader.rows(self._user, user=user_id, **page_parameters(page))
        return page_of(ITEMS, _with_items(rows)[0]["items"], page) if rows else None

    def _read_user(self, id: int) -> UserView | None:
        rows = self._reader.rows(self._user, user=id, after=0, skip=0, rows=EMBEDDED_ITEMS)
        return _with_items(rows)[0] if rows else None

    def _list_users(self, reader: Reader, page: PageParams, filter: Filter) -> Page[UserView]:
        if page.sort != "id":
            raise ValueError(page.sort)
        query, values = self._users, Parameters()
        if filter:
            filters, values = filter_parameters(USERS, filter, self._dialect)
            query = self._cached(user_page, self._dialect, filters)
        some = partial(_up_to, page.characters)
        rows, ended = reader.some_rows(query, some, **page_parameters(page), **values)
        if self._dialect == "mysql":
            rows.sort(key=itemgetter(0, _ITEM_ID))  # by user and item
        found = Page.cut(_with_items(rows), page.limit)
        return bounded(USERS, found, page.characters) if ended else found  # items of the last user may be missing


def _up_to(characters: int, chunks: Iterator[Sequence[Row]]) -> tuple[list[Row], bool]:
    """Read chunks until their long texts exceed this size; return the rows, and whether that happened."""
    rows: list[Row] = []
    size = 0
    for chunk in chunks:
        rows += chunk
        for column in _LONG_TEXTS:
            size += sum([len(text) for row in chunk if (text := row[column])])
        if size > characters:
            return rows, True
    return rows, False


def _with_items(rows: Sequence[Row]) -> list[UserView]:
    """Group rows of users and items into users with their items. One loop by hand is fastest."""
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
