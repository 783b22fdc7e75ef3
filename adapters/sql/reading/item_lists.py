"""The statements behind lists of items that are filtered or sorted, with the parameters of ``parameters.py``."""

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

from adapters.sql.mapping.removals import count_visible, not_removed
from adapters.sql.mapping.tables import items
from adapters.sql.reading.item_filters import CENTS, ID, INDEXES, OWNER, TITLE, WANTED, Column, filters
from adapters.sql.reading.statements import AFTER, item_columns, limited
from service_layer.read_models import Sort

Page = Select[Any] | CompoundSelect[Any]


def item_count(dialect: str, asked: Collection[str]) -> Select[Any]:
    """One row of one number."""
    if not asked:
        return count_visible(items.c.owner_id)
    return select(func.count()).select_from(items).where(*filters(asked, dialect).values(), not_removed(OWNER))


def item_page(dialect: str, sort: Sort, asked: Collection[str]) -> Page:
    """Rows of an item's five columns, as this kind of database finds the shortest way to them."""
    lists = _Lists(dialect, sort.startswith("-"), asked)
    if sort.endswith("id"):
        return limited(lists.by_id())
    if dialect != "postgresql" and "word0" in asked:
        return limited(lists.searched(TITLE if sort.endswith("title") else CENTS))
    if sort.endswith("title"):
        return limited(lists.by(TITLE))
    if "after" in asked and "value" not in asked:
        return limited(lists.without(CENTS))
    if "least" in asked or "most" in asked:
        return limited(lists.by(CENTS))
    return lists.by_price()


def _value_of(key: Column) -> ColumnElement[Any]:
    return bindparam("value", type_=String if key is TITLE else BigInteger)


@dataclass(frozen=True, slots=True)
class _Lists:
    """Items that are asked for, in one direction, each list as far as it lies behind the place asked for."""

    dialect: str
    descending: bool
    asked: Collection[str]

    def by_id(self) -> Page:
        """Those of one owner, of nobody or with one title lie in id order in an index."""
        if "owner" in self.asked:
            return self._equal_to(OWNER, "owner")
        if "nobody" in self.asked:
            return self.without(OWNER)
        if "title" in self.asked:
            return self._equal_to(TITLE, "title")
        return self._all(ID).where(*self._behind_id())

    def by(self, key: Column) -> Page:
        """By title, or by price those that have one."""
        there = self._all(key, ID, index_of=key)
        if "value" not in self.asked:
            return there if key is TITLE else there.where(key >= 0)
        if self.dialect == "postgresql":
            return there.where(self._behind(tuple_(key, ID), tuple_(_value_of(key), AFTER)))
        if self.dialect == "mysql":
            return there.where(or_(*self._behind_value(key)))
        # SQLite would go through all that are the same from their beginning
        return self._merged(key, *map(there.where, self._behind_value(key)))

    def _merged(self, key: Column, *lists: Select[Any]) -> CompoundSelect[Any]:
        """What SQLite reads as it goes, from whichever of these comes next; each must be in order by itself."""
        merged = union_all(*(each.order_by(None) for each in lists))
        return merged.order_by(*self._sorted(merged.selected_columns[str(key.key)], merged.selected_columns.id))

    def searched(self, key: Column) -> Select[Any]:
        """By title or price, those without a price last, where each item is to be looked into anyway.

        This order is in no index, so they are looked into as they come and sorted then. In the order of an index
        it took MariaDB minutes and SQLite 2 s to find that none of 1,000,000 has a word. PostgreSQL knows
        beforehand how many have it, more or less.
        """
        nothing = literal("" if key is TITLE else -1)
        known = func.coalesce(key, nothing)  # which no index knows
        found = self._all().order_by(known == nothing, *self._sorted(known, ID))
        if "value" in self.asked:
            same = and_(known == _value_of(key), *self._behind_id())
            return found.where(or_(same, self._behind(known, _value_of(key)), known == nothing))
        return found.where(known == nothing, *self._behind_id()) if "after" in self.asked else found

    def by_price(self) -> Page:
        """Those with a price, then those without. No index has them in this order in both directions, so they are
        two lists, either of which is read as far as the page may reach."""
        unpriced = self.without(CENTS, from_its_beginning=True)
        if self.dialect == "sqlite" and self.descending and "value" in self.asked:  # no price comes last there anyway
            priced = map(self._all(CENTS, ID, index_of=CENTS).where, self._behind_value(CENTS))
            return limited(self._merged(CENTS, *priced, unpriced))
        parts = [self.by(CENTS), unpriced]
        if self.dialect == "mysql":  # which is slow to put texts together
            parts = [part.with_only_columns(CENTS, ID) for part in parts if isinstance(part, Select)]
        reach = bindparam("reach", type_=BigInteger)
        each = union_all(*(select(part.limit(reach).subquery()) for part in parts)).subquery("each_list")
        if self.dialect != "mysql":
            cents, id = self._sorted(each.c.cents, each.c.id)
            return limited(select(each).order_by(cents.nulls_last(), id))
        page = limited(select(each).order_by(*self._unpriced_last(each))).subquery("page")
        shown = select(*item_columns(items)).join(page, page.c.id == ID)
        return shown.order_by(*self._unpriced_last(page))

    def _unpriced_last(self, rows: FromClause) -> list[Column]:
        return [rows.c.cents.is_(None), *self._sorted(rows.c.cents, rows.c.id)]

    def without(self, column: Column, *, from_its_beginning: bool = False) -> Select[Any]:
        """Those of no owner, or without a price, by id."""
        order = [column, ID] if self.dialect == "postgresql" else [ID]  # as ``_where_it_is`` says
        behind = [] if from_its_beginning else self._behind_id()
        return self._all(*order, index_of=column).where(column.is_(None), *behind)

    def _equal_to(self, column: Column, name: str) -> Select[Any]:
        """Those whose owner or title is the one asked for, by id.

        PostgreSQL may walk through all items in id order until it has met enough of these, unless the order
        begins with the column, and the column is bounded by a range instead of an equality.
        """
        if self.dialect != "postgresql":
            return self._all(ID, index_of=column).where(*self._behind_id())
        value = WANTED[column]
        start, end = (column <= value, column >= value) if self.descending else (column >= value, column <= value)
        if "after" in self.asked:
            start = self._behind(tuple_(column, ID), tuple_(value, AFTER))
        return self._all(column, ID, but=name).where(start, end)

    def _all(self, *order: Column, index_of: Column | None = None, but: str = "") -> Select[Any]:
        conditions = filters(self.asked, self.dialect)
        statement = select(*item_columns(items)).order_by(*self._sorted(*order))
        if index_of is not None and conditions.keys() <= INDEXES[index_of][1]:  # MariaDB may sort all of them instead
            statement = statement.with_hint(items, f"FORCE INDEX ({INDEXES[index_of][0]})", "mysql")
        return statement.where(*(each for name, each in conditions.items() if name != but), not_removed(OWNER))

    def _behind_id(self) -> list[ColumnElement[bool]]:
        return [self._behind(ID, AFTER)] if "after" in self.asked else []

    def _behind_value(self, key: Column) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        """Whether something is behind the place and has the same value, and whether it has another one."""
        return and_(key == _value_of(key), *self._behind_id()), self._behind(key, _value_of(key))

    def _behind(self, place: Column, other: Column) -> ColumnElement[bool]:
        return place < other if self.descending else place > other

    def _sorted(self, *columns: Column) -> list[ColumnElement[Any]]:
        return [column.desc() if self.descending else column.asc() for column in columns]
