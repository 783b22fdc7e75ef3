"""The statements behind lists of items that are filtered or sorted, with the parameters of ``asking.py``."""

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
    or_,
    select,
    tuple_,
    union_all,
)

from adapters.sql.asking import ESCAPE
from adapters.sql.statements import AFTER, item_columns, limited
from adapters.sql.tables import items
from service_layer.read_models import Sort

Page = Select[Any] | CompoundSelect[Any]
Column = ColumnElement[Any]

_owner, _title, _cents, _id = items.c.owner_id, items.c.title, item_columns(items)[2], items.c.id
_VALUE: dict[Column, Column] = {  # PostgreSQL would cut a text that is given the column's type
    _owner: bindparam("owner", type_=BigInteger),
    _title: bindparam("title", type_=String),
}
_FILTERS: dict[str, ColumnElement[bool]] = {
    "owner": _owner == _VALUE[_owner],
    "nobody": _owner.is_(None),
    "title": _title == _VALUE[_title],
    "least": _cents >= bindparam("least", type_=BigInteger),
    "most": _cents <= bindparam("most", type_=BigInteger),
}
_INDEXES: dict[Column, tuple[str, set[str]]] = {
    _owner: ("ix_items_owner_id_id", {"owner", "nobody"}),
    _title: ("ix_items_title_id", {"title"}),
    _cents: ("ix_items_price_id", {"least", "most"}),
}
"""The index of each column, whose entries are in id order where the column is the same; which filters it serves."""


def count_of_items(asked: Collection[str]) -> Select[Any]:
    """One row of one number."""
    return select(func.count()).select_from(items).where(*_filters(asked).values())


def page_of_items(dialect: str, sort: Sort, asked: Collection[str]) -> Page:
    """Rows of an item's five columns, as this kind of database finds the shortest way to them."""
    lists = _Lists(dialect, sort.startswith("-"), asked)
    if sort.endswith("id"):
        return limited(lists.by_id())
    if dialect != "postgresql" and "word0" in asked:
        return limited(lists.searched(_title if sort.endswith("title") else _cents))
    if sort.endswith("title"):
        return limited(lists.by(_title))
    if "after" in asked and "value" not in asked:
        return limited(lists.without(_cents))
    if "least" in asked or "most" in asked:
        return limited(lists.by(_cents))
    return lists.by_price()


def _filters(asked: Collection[str]) -> dict[str, ColumnElement[bool]]:
    words = [name for name in asked if name.startswith("word")]
    return {name: _FILTERS[name] for name in asked if name in _FILTERS} | {
        name: items.c.search_text.like(bindparam(name, type_=String), escape=ESCAPE) for name in words
    }


def _value_of(key: Column) -> ColumnElement[Any]:
    return bindparam("value", type_=String if key is _title else BigInteger)


@dataclass(frozen=True, slots=True)
class _Lists:
    """Items that are asked for, in one direction, each list as far as it lies behind the place asked for."""

    dialect: str
    descending: bool
    asked: Collection[str]

    def by_id(self) -> Page:
        """Those of one owner, of nobody or with one title lie in id order in an index."""
        if "owner" in self.asked:
            return self._where_it_is(_owner, "owner")
        if "nobody" in self.asked:
            return self.without(_owner)
        if "title" in self.asked:
            return self._where_it_is(_title, "title")
        return self._all(_id).where(*self._behind_id())

    def by(self, key: Column) -> Page:
        """By title, or by price those that have one."""
        order = [_id] if "title" in self.asked and key is _title else [key, _id]
        there = self._all(*order, index_of=key)
        if "value" not in self.asked:
            return there if key is _title else there.where(key >= 0)
        value = _value_of(key)
        if self.dialect == "postgresql":
            return there.where(self._behind(tuple_(key, _id), tuple_(value, AFTER)))
        same, others = and_(key == value, *self._behind_id()), self._behind(key, value)
        if self.dialect == "mysql":
            return there.where(or_(same, others))
        # SQLite would go through all that are the same from their beginning; these two it merges as it goes
        merged = union_all(*(there.order_by(None).where(part) for part in (same, others)))
        return merged.order_by(*self._sorted(merged.selected_columns[str(key.key)], merged.selected_columns.id))

    def searched(self, key: Column) -> Select[Any]:
        """By title or price, those without a price last, where each item is to be looked into anyway.

        This order is in no index, so they are looked into as they come and sorted then. In the order of an index
        it took MariaDB minutes and SQLite 2 s to find that none of 1,000,000 has a word. PostgreSQL knows
        beforehand how many have it, more or less.
        """
        found = self._all().order_by(key.is_(None), *self._sorted(func.coalesce(key, "" if key is _title else 0), _id))
        if "value" in self.asked:
            same = and_(key == _value_of(key), *self._behind_id())
            return found.where(or_(same, self._behind(key, _value_of(key)), key.is_(None)))
        return found.where(key.is_(None), *self._behind_id()) if "after" in self.asked else found

    def by_price(self) -> Page:
        """Those with a price, then those without. No index has them in this order in both directions, so they are
        two lists, either of which is read as far as the page may reach."""
        parts = [self.by(_cents), self.without(_cents, from_its_beginning=True)]
        if self.dialect == "mysql":  # which is slow to put texts together
            parts = [part.with_only_columns(_cents, _id) for part in parts if isinstance(part, Select)]
        reach = bindparam("reach", type_=BigInteger)
        each = union_all(*(select(part.limit(reach).subquery()) for part in parts)).subquery("each_list")
        if self.dialect != "mysql":
            cents, id = self._sorted(each.c.cents, each.c.id)
            return limited(select(each).order_by(cents.nulls_last(), id))
        page = limited(select(each).order_by(*self._unpriced_last(each))).subquery("page")
        shown = select(*item_columns(items)).join(page, page.c.id == _id)
        return shown.order_by(*self._unpriced_last(page))

    def _unpriced_last(self, rows: FromClause) -> list[Column]:
        return [rows.c.cents.is_(None), *self._sorted(rows.c.cents, rows.c.id)]

    def without(self, column: Column, *, from_its_beginning: bool = False) -> Select[Any]:
        """Those of no owner, or without a price, by id."""
        order = [column, _id] if self.dialect == "postgresql" else [_id]  # as ``_where_it_is`` says
        behind = [] if from_its_beginning else self._behind_id()
        return self._all(*order, index_of=column).where(column.is_(None), *behind)

    def _where_it_is(self, column: Column, name: str) -> Select[Any]:
        """Those whose owner or title is the one asked for, by id.

        PostgreSQL may walk through all items in id order until it has met enough of these, unless the order
        says that it begins with the column, and no condition says that the column is but one thing.
        """
        if self.dialect != "postgresql":
            return self._all(_id, index_of=column).where(*self._behind_id())
        value = _VALUE[column]
        start, end = (column <= value, column >= value) if self.descending else (column >= value, column <= value)
        if "after" in self.asked:
            start = self._behind(tuple_(column, _id), tuple_(value, AFTER))
        return self._all(column, _id, but=name).where(start, end)

    def _all(self, *order: Column, index_of: Column | None = None, but: str = "") -> Select[Any]:
        filters = _filters(self.asked)
        statement = select(*item_columns(items)).order_by(*self._sorted(*order))
        if index_of is not None and filters.keys() <= _INDEXES[index_of][1]:  # MariaDB may sort all of them instead
            statement = statement.with_hint(items, f"FORCE INDEX ({_INDEXES[index_of][0]})", "mysql")
        return statement.where(*(condition for name, condition in filters.items() if name != but))

    def _behind_id(self) -> list[ColumnElement[bool]]:
        return [self._behind(_id, AFTER)] if "after" in self.asked else []

    def _behind(self, place: Column, other: Column) -> ColumnElement[bool]:
        return place < other if self.descending else place > other

    def _sorted(self, *columns: Column) -> list[ColumnElement[Any]]:
        return [column.desc() if self.descending else column.asc() for column in columns]
