"""SQL conditions for the filters of items; ``parameters.py`` provides their parameters."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, String, bindparam, case, func, null

from adapters.sql.mapping.removals import is_marked, not_removed
from adapters.sql.mapping.tables import items
from adapters.sql.reading.parameters import ESCAPE
from adapters.sql.reading.statements import item_columns

Column = ColumnElement[Any]

_title, _, _cents, _id, _owner = item_columns(items)
OWNER, TITLE, CENTS, ID = _owner, _title, _cents, _id

FILTER_PARAMETERS: dict[Column, Column] = {  # no length: a cast to the column's length would truncate the value
    OWNER: bindparam("owner", type_=BigInteger),
    TITLE: bindparam("title", type_=String),
}
_FILTERS: dict[str, ColumnElement[bool]] = {
    "owner": _owner == FILTER_PARAMETERS[OWNER],
    "no_owner": _owner.is_(None),
    "title": _title == FILTER_PARAMETERS[TITLE],
    "min_cents": _cents >= bindparam("min_cents", type_=BigInteger),
    "max_cents": _cents <= bindparam("max_cents", type_=BigInteger),
}

INDEXES: dict[Column, tuple[str, set[str]]] = {
    OWNER: ("ix_items_owner_id_id", {"owner", "no_owner"}),
    TITLE: ("ix_items_title_id", {"title"}),
    CENTS: ("ix_items_price_id", {"min_cents", "max_cents"}),
}
"""The index of each column, in which equal values are in id order, and the filters that it can serve."""


def conditions(names: Collection[str], dialect: str) -> dict[str, ColumnElement[bool]]:
    """Return the condition of each filter, by the name of its parameter."""
    words = [name for name in names if name.startswith("word")]
    found = {name: _FILTERS[name] for name in names if name in _FILTERS}
    if "owner" in found and dialect == "sqlite":  # it checks a condition with a subquery for every row, see ``visible``
        owner = FILTER_PARAMETERS[OWNER]
        found["owner"] = _owner == case((is_marked(owner), null()), else_=owner)
    return found | {name: _contains(bindparam(name, type_=String), dialect) for name in words}


def visible(names: Collection[str], dialect: str) -> list[ColumnElement[bool]]:
    """Return the conditions that leave out the items of removed users, in addition to ``conditions``."""
    if "owner" in names:  # one owner: databases check this once, before they read any item
        return [] if dialect == "sqlite" else [~is_marked(FILTER_PARAMETERS[OWNER])]
    return [] if "no_owner" in names else [not_removed(_owner)]


def _contains(word: ColumnElement[str], dialect: str) -> ColumnElement[bool]:
    if dialect == "sqlite":  # its LIKE does not distinguish U+FFFD, U+FFFE and U+FFFF
        return func.instr(items.c.search_text, word) > 0
    return items.c.search_text.like(word, escape=ESCAPE)
