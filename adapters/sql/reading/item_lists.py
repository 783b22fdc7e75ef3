"""Statements for filtered or sorted lists of items; ``parameters.py`` provides their parameters."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from adapters.sql.mapping.removals import count_visible
from adapters.sql.mapping.tables import items
from adapters.sql.reading.item_filters import (
    CENTS,
    FILTER_PARAMETERS,
    ID,
    INDEXES,
    OWNER,
    TITLE,
    Column,
    conditions,
    visible,
)
from adapters.sql.reading.statements import AFTER, item_columns, paginate, unless_hidden
from service_layer.read_models import Sort

Page = Select[Any] | CompoundSelect[Any]


def item_count(dialect: str, names: Collection[str]) -> Select[Any]:
    """Count the matching items; returns one row with one column."""
    if not names:
        return count_visible(items.c.owner_id)
    matching = [*conditions(names, dialect).values(), *visible(names, dialect)]
    return select(func.count()).select_from(items).where(*matching)


def item_page(dialect: str, sort: Sort, names: Collection[str]) -> Page:
    """Select a page of items, five columns each, in the form that is fastest on this database."""
    return _page(_ItemLists(dialect, sort.startswith("-"), names), sort)


def quick_item_page(dialect: str, sort: Sort, names: Collection[str]) -> Page:
    """The same page, or no rows while a removed user has items that are not deleted yet."""
    return unless_hidden(_page(_ItemLists(dialect, sort.startswith("-"), names, quick=True), sort), dialect)


def _page(lists: "_ItemLists", sort: Sort) -> Page:
    dialect, names = lists.dialect, lists.names
    if sort.endswith("id"):
        return paginate(lists.by_id())
    if dialect != "postgresql" and "word0" in names:
        return paginate(lists.matching_words(TITLE if sort.endswith("title") else CENTS))
    if sort.endswith("title"):
        return paginate(lists.by(TITLE))
    if "after" in names and "value" not in names:
        return paginate(lists.without(CENTS))
    if "min_cents" in names or "max_cents" in names:
        return paginate(lists.by(CENTS))
    return lists.by_price()


def _value_of(key: Column) -> ColumnElement[Any]:
    return bindparam("value", type_=String if key is TITLE else BigInteger)


@dataclass(frozen=True, slots=True)
class _ItemLists:
    """Lists of matching items in one direction, each from the start of the page."""

    dialect: str
    descending: bool
    names: Collection[str]
    quick: bool = False

    def by_id(self) -> Page:
        """Items by id. An index has those of one owner, without an owner, or with one title in this order."""
        if "owner" in self.names:
            return self._equal_to(OWNER, "owner")
        if "no_owner" in self.names:
            return self.without(OWNER)
        if "title" in self.names:
            return self._equal_to(TITLE, "title")
        return self._all(ID).where(*self._after_id())

    def by(self, key: Column) -> Page:
        """Items by title, or items with a price by price."""
        all_items = self._all(key, ID, index_of=key)
        if "value" not in self.names:
            return all_items if key is TITLE else all_items.where(key >= 0)
        if self.dialect == "postgresql":
            return all_items.where(self._after(tuple_(key, ID), tuple_(_value_of(key), AFTER)))
        if self.dialect == "mysql":
            return all_items.where(or_(*self._after_value(key)))
        # with one condition SQLite would read all equal values from the first one
        return self._merged(key, *map(all_items.where, self._after_value(key)))

    def _merged(self, key: Column, *lists: Select[Any]) -> CompoundSelect[Any]:
        """Merge sorted lists. SQLite does this row by row, without reading any list to its end."""
        merged = union_all(*(each.order_by(None) for each in lists))
        return merged.order_by(*self._sorted(merged.selected_columns[str(key.key)], merged.selected_columns.id))

    def matching_words(self, key: Column) -> Select[Any]:
        """Items that contain words, by title or price; items without a price are last.

        No index has this order, so the database scans all items and sorts the matches. In the order of an index,
        MariaDB took minutes and SQLite 2 s to find that none of 1,000,000 items has a word. PostgreSQL estimates the
        number of matches and chooses by itself.
        """
        nothing = literal("" if key is TITLE else -1)
        known = func.coalesce(key, nothing)  # matches no index
        found = self._all().order_by(known == nothing, *self._sorted(known, ID))
        if "value" in self.names:
            same = and_(known == _value_of(key), *self._after_id())
            return found.where(or_(same, self._after(known, _value_of(key)), known == nothing))
        return found.where(known == nothing, *self._after_id()) if "after" in self.names else found

    def by_price(self) -> Page:
        """Items with a price by price, then items without. No index has this order in both directions, so two lists are
        read, each up to the end of the page, and concatenated."""
        unpriced = self.without(CENTS, from_start=True)
        if self.dialect == "sqlite" and self.descending and "value" in self.names:  # nulls are last in this order
            priced = map(self._all(CENTS, ID, index_of=CENTS).where, self._after_value(CENTS))
            return paginate(self._merged(CENTS, *priced, unpriced))
        parts = [self.by(CENTS), unpriced]
        if self.dialect == "mysql":  # slow at unions of text columns
            parts = [part.with_only_columns(CENTS, ID) for part in parts if isinstance(part, Select)]
        reach = bindparam("reach", type_=BigInteger)
        each = union_all(*(select(part.limit(reach).subquery()) for part in parts)).subquery("each_list")
        if self.dialect != "mysql":
            cents, id = self._sorted(each.c.cents, each.c.id)
            return paginate(select(each).order_by(cents.nulls_last(), id))
        page = paginate(select(each).order_by(*self._unpriced_last(each))).subquery("page")
        rows = select(*item_columns(items)).join(page, page.c.id == ID)
        return rows.order_by(*self._unpriced_last(page))

    def _unpriced_last(self, rows: FromClause) -> list[Column]:
        return [rows.c.cents.is_(None), *self._sorted(rows.c.cents, rows.c.id)]

    def without(self, column: Column, *, from_start: bool = False) -> Select[Any]:
        """Items where this column is null, by id."""
        order = [column, ID] if self.dialect == "postgresql" else [ID]  # see ``_equal_to``
        start_conditions = [] if from_start else self._after_id()
        return self._all(*order, index_of=column).where(column.is_(None), *start_conditions)

    def _equal_to(self, column: Column, name: str) -> Select[Any]:
        """Items with the given owner or title, by id.

        PostgreSQL may scan all items in id order until it has found enough matches, unless the order begins with the
        column and the condition is a range instead of an equality.
        """
        if self.dialect != "postgresql":
            return self._all(ID, index_of=column).where(*self._after_id())
        value = FILTER_PARAMETERS[column]
        start, end = (column <= value, column >= value) if self.descending else (column >= value, column <= value)
        if "after" in self.names:
            start = self._after(tuple_(column, ID), tuple_(value, AFTER))
        return self._all(column, ID, without=name).where(start, end)

    def _all(self, *order: Column, index_of: Column | None = None, without: str = "") -> Select[Any]:
        filters = conditions(self.names, self.dialect)
        statement = select(*item_columns(items)).order_by(*self._sorted(*order))
        if index_of is not None and filters.keys() <= INDEXES[index_of][1]:  # or MariaDB may sort all matches
            statement = statement.with_hint(items, f"FORCE INDEX ({INDEXES[index_of][0]})", "mysql")
        shown = [] if self.quick else visible(self.names, self.dialect)
        return statement.where(*(each for name, each in filters.items() if name != without), *shown)

    def _after_id(self) -> list[ColumnElement[bool]]:
        return [self._after(ID, AFTER)] if "after" in self.names else []

    def _after_value(self, key: Column) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        """Conditions for rows after the start of the page: with the same value, and with another one."""
        return and_(key == _value_of(key), *self._after_id()), self._after(key, _value_of(key))

    def _after(self, value: Column, start: Column) -> ColumnElement[bool]:
        return value < start if self.descending else value > start

    def _sorted(self, *columns: Column) -> list[ColumnElement[Any]]:
        return [column.desc() if self.descending else column.asc() for column in columns]
