"""Statements for one row, for lists and for counts of any aggregate; ``parameters.py`` provides their parameters."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    and_,
    bindparam,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
)

from adapters.sql.mapping.removals import NO_REMOVED_USERS, count_visible, user_columns
from adapters.sql.reading.columns import column_of, parameter_type, table_of, view_columns
from adapters.sql.reading.conditions import conditions, filter_parameter, visible
from adapters.sql.reading.parameters import Filters
from adapters.sql.reading.statements import AFTER, paginate, unless_hidden
from service_layer.aggregates import AnyAggregate, Equal, Words

Page = Select[Any] | CompoundSelect[Any]

_LEAST: dict[type, Any] = {str: "", int: -(2**63), bool: False, Decimal: 0}
"""By type: no value of a column is less than this."""


def count(aggregate: AnyAggregate, dialect: str, filters: Filters) -> Select[Any]:
    """Count the matching rows; returns one row with one column."""
    table = table_of(aggregate)
    users = user_columns(table)
    if not filters and len(users) == 1:
        return count_visible(table, users[0])
    matching = [*conditions(aggregate, filters, dialect).values(), *visible(aggregate, filters, dialect)]
    return select(func.count()).select_from(table).where(*matching)


# With ``quick`` the following return no rows while a removed user has items that are not deleted yet.


def row(quick: bool, aggregate: AnyAggregate, dialect: str) -> Select[Any]:
    """Select the row with the id ``id``."""
    found = select(*view_columns(aggregate)).where(table_of(aggregate).c.id == bindparam("id"))
    return found.where(*[NO_REMOVED_USERS] if quick else visible(aggregate, (), dialect))


def all_rows(quick: bool, aggregate: AnyAggregate, dialect: str) -> Page:
    """Select a page of all rows by id."""
    id = table_of(aggregate).c.id
    rows = paginate(select(*view_columns(aggregate)).where(id > AFTER).order_by(id))
    return unless_hidden(rows, dialect) if quick else rows.where(*visible(aggregate, (), dialect))


def sorted_rows(
    quick: bool, aggregate: AnyAggregate, dialect: str, sort: str, filters: Filters, start: Collection[str]
) -> Page:
    """Select a page of matching rows, sorted, in the form that is fastest on this database.

    :param start: which of ``after`` and ``value`` are among the parameters.
    """
    lists = _Lists(aggregate, dialect, sort.startswith("-"), filters, start, quick)
    rows = _page(lists, sort.removeprefix("-"))
    return unless_hidden(rows, dialect) if quick else rows


def _page(lists: "_Lists", key: str) -> Page:
    if key == "id":
        return paginate(lists.by_id())
    filtered = lists.aggregate.filters
    if lists.dialect != "postgresql" and any(isinstance(filtered[name], Words) for name, _ in lists.filters):
        return paginate(lists.matching_words(key))
    if not lists.aggregate.is_nullable(key):
        return paginate(lists.by(key))
    if "after" in lists.start and "value" not in lists.start:
        return paginate(lists.without(key))
    if any(filtered[name].column == key for name, _ in lists.filters):  # so there is a value in all rows
        return paginate(lists.by(key))
    return lists.nulls_last(key)


@dataclass(frozen=True, slots=True)
class _Lists:
    """Lists of matching rows in one direction, each from the start of the page."""

    aggregate: AnyAggregate
    dialect: str
    descending: bool
    filters: Filters
    start: Collection[str]
    quick: bool

    def by_id(self) -> Page:
        """Rows by id. An index has those that are equal in a column in this order."""
        for name, count in self.filters:
            column = self.aggregate.filters[name].column
            if isinstance(self.aggregate.filters[name], Equal) and self._index_of(column):
                return self._equal_to(column, name) if count else self.without(column)
        return self._all("id").where(*self._after_id())

    def by(self, key: str) -> Page:
        """Rows by a column; those where it is null are left out."""
        all_rows, column = self._all(key, "id", index_of=key), self._column(key)
        if "value" not in self.start:
            least = literal(_LEAST[self.aggregate.kind(key)], parameter_type(self.aggregate, key))
            return all_rows.where(column >= least) if self.aggregate.is_nullable(key) else all_rows
        if self.dialect == "postgresql":
            return all_rows.where(self._after(tuple_(column, self._id), tuple_(self._value_of(key), AFTER)))
        if self.dialect == "mysql":
            return all_rows.where(or_(*self._after_value(column, key)))
        # with one condition SQLite would read all equal values from the first one
        return self._merged(key, *map(all_rows.where, self._after_value(column, key)))

    def _merged(self, key: str, *lists: Select[Any]) -> CompoundSelect[Any]:
        """Merge sorted lists. SQLite does this row by row, without reading any list to its end."""
        merged = union_all(*(each.order_by(None) for each in lists))
        return merged.order_by(*self._sorted(merged.selected_columns[key], merged.selected_columns.id))

    def matching_words(self, key: str) -> Select[Any]:
        """Rows that contain words, by a column; those where it is null are last.

        No index has this order, so the database scans all rows and sorts the matches. In the order of an index,
        MariaDB took minutes and SQLite 2 s to find that none of 1,000,000 items has a word. PostgreSQL estimates the
        number of matches and chooses by itself.
        """
        known = func.coalesce(self._column(key), null())  # matches no index
        nulls = [known.is_(None)] if self.aggregate.is_nullable(key) else []
        found = self._all().order_by(*nulls, *self._sorted(known, self._id))
        if "value" in self.start:
            return found.where(or_(*self._after_value(known, key), *nulls))
        return found.where(*nulls, *self._after_id()) if "after" in self.start else found

    def nulls_last(self, key: str) -> Page:
        """Rows by a column, then those where it is null. No index has this order in both directions, so two lists are
        read, each up to the end of the page, and concatenated."""
        nulls = self.without(key, from_start=True)
        if self.dialect == "sqlite" and self.descending and "value" in self.start:  # nulls are last in this order
            valued = map(self._all(key, "id", index_of=key).where, self._after_value(self._column(key), key))
            return paginate(self._merged(key, *valued, nulls))
        parts = [self.by(key), nulls]
        if self.dialect == "mysql":  # slow at unions of text columns
            columns = self._column(key), self._id
            parts = [part.with_only_columns(*columns) for part in parts if isinstance(part, Select)]
        reach = bindparam("reach", type_=BigInteger)
        each = union_all(*(select(part.limit(reach).subquery()) for part in parts)).subquery("each_list")
        if self.dialect != "mysql":
            value, id = self._sorted(each.c[key], each.c.id)
            return paginate(select(each).order_by(value.nulls_last(), id))
        page = paginate(select(each).order_by(*self._nulls_last(each, key))).subquery("page")
        rows = select(*view_columns(self.aggregate)).join(page, page.c.id == self._id)
        return rows.order_by(*self._nulls_last(page, key))

    def _nulls_last(self, rows: FromClause, key: str) -> list[ColumnElement[Any]]:
        return [rows.c[key].is_(None), *self._sorted(rows.c[key], rows.c.id)]

    def without(self, key: str, *, from_start: bool = False) -> Select[Any]:
        """Rows where a column is null, by id."""
        order = [key, "id"] if self.dialect == "postgresql" else ["id"]  # see ``_equal_to``
        start_conditions = [] if from_start else self._after_id()
        return self._all(*order, index_of=key).where(self._column(key).is_(None), *start_conditions)

    def _equal_to(self, key: str, name: str) -> Select[Any]:
        """Rows with the given value in a column, by id.

        PostgreSQL may scan all rows in id order until it has found enough matches, unless the order begins with the
        column and the condition is a range instead of an equality.
        """
        if self.dialect != "postgresql":
            return self._all("id", index_of=key).where(*self._after_id())
        column, value = self._column(key), filter_parameter(self.aggregate, name)
        start, end = (column <= value, column >= value) if self.descending else (column >= value, column <= value)
        if "after" in self.start:
            start = self._after(tuple_(column, self._id), tuple_(value, AFTER))
        return self._all(key, "id", without=name).where(start, end)

    def _all(self, *order: str, index_of: str = "", without: str = "") -> Select[Any]:
        filters = conditions(self.aggregate, self.filters, self.dialect)
        statement = select(*view_columns(self.aggregate)).order_by(*self._sorted(*map(self._column, order)))
        index = self._index_of(index_of)
        if index and all(self.aggregate.filters[name].column == index_of for name in filters):
            # or MariaDB may sort all matches
            statement = statement.with_hint(table_of(self.aggregate), f"FORCE INDEX ({index})", "mysql")
        shown = [] if self.quick else visible(self.aggregate, self.filters, self.dialect)
        return statement.where(*(each for name, each in filters.items() if name != without), *shown)

    def _index_of(self, key: str) -> str | None:
        """The index in which rows that are equal in a column are in id order, if there is one."""
        indexes = table_of(self.aggregate).indexes
        return next((str(index.name) for index in indexes if index.columns.keys() == [key, "id"]), None)

    def _column(self, key: str) -> ColumnElement[Any]:
        return column_of(self.aggregate, key)

    @property
    def _id(self) -> ColumnElement[Any]:
        return self._column("id")

    def _value_of(self, key: str) -> ColumnElement[Any]:
        return bindparam("value", type_=parameter_type(self.aggregate, key))

    def _after_id(self) -> list[ColumnElement[bool]]:
        return [self._after(self._id, AFTER)] if "after" in self.start else []

    def _after_value(self, column: ColumnElement[Any], key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        """Conditions for rows after the start of the page: with the same value, and with another one."""
        value = self._value_of(key)
        return and_(column == value, *self._after_id()), self._after(column, value)

    def _after(self, value: ColumnElement[Any], start: ColumnElement[Any]) -> ColumnElement[bool]:
        return value < start if self.descending else value > start

    def _sorted(self, *columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        return [column.desc() if self.descending else column.asc() for column in columns]
