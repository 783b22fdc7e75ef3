"""What can be asked of items, as conditions, with the parameters of ``parameters.py``."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, String, bindparam, func

from adapters.sql.mapping.tables import items
from adapters.sql.reading.parameters import ESCAPE
from adapters.sql.reading.statements import item_columns

Column = ColumnElement[Any]

_title, _, _cents, _id, _owner = item_columns(items)
OWNER, TITLE, CENTS, ID = _owner, _title, _cents, _id

WANTED: dict[Column, Column] = {  # a String without a length: a cast to the column's would cut the value
    OWNER: bindparam("owner", type_=BigInteger),
    TITLE: bindparam("title", type_=String),
}
_FILTERS: dict[str, ColumnElement[bool]] = {
    "owner": _owner == WANTED[OWNER],
    "nobody": _owner.is_(None),
    "title": _title == WANTED[TITLE],
    "least": _cents >= bindparam("least", type_=BigInteger),
    "most": _cents <= bindparam("most", type_=BigInteger),
}

INDEXES: dict[Column, tuple[str, set[str]]] = {
    OWNER: ("ix_items_owner_id_id", {"owner", "nobody"}),
    TITLE: ("ix_items_title_id", {"title"}),
    CENTS: ("ix_items_price_id", {"least", "most"}),
}
"""The index of each column, where those that have the same in it lie in id order; and which filters it serves."""


def filters(asked: Collection[str], dialect: str) -> dict[str, ColumnElement[bool]]:
    """The condition of each filter that is asked for, by the name of its parameter."""
    words = [name for name in asked if name.startswith("word")]
    return {name: _FILTERS[name] for name in asked if name in _FILTERS} | {
        name: _has(bindparam(name, type_=String), dialect) for name in words
    }


def _has(word: ColumnElement[str], dialect: str) -> ColumnElement[bool]:
    if dialect == "sqlite":  # to its LIKE, U+FFFD, U+FFFE and U+FFFF are the same
        return func.instr(items.c.search_text, word) > 0
    return items.c.search_text.like(word, escape=ESCAPE)
