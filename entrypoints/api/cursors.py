"""Opaque cursors for lists that are not sorted by id."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from decimal import Decimal, InvalidOperation

from domain.errors import InvalidValue
from domain.items import TITLE_MAX_LENGTH, exact_price
from domain.text import check_text
from service_layer.read_models import ID_MAX, ItemView, Sort

Position = tuple[str | Decimal | None, int]
"""The value of an item's sort column, and its id."""


def cursor(sort: Sort, item: ItemView) -> str:
    """The cursor of this item, safe in URLs."""
    value = {"title": item["title"], "price": item["price"], "id": None}[sort.removeprefix("-")]
    text = json.dumps([sort, value, item["id"]], ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(text: str, sort: Sort) -> Position:
    """Decode a cursor.

    :raises ValueError: it is malformed, or belongs to another sort.
    """
    padded = text + "=" * (-len(text) % 4)
    try:
        content = json.loads(urlsafe_b64decode(padded.encode("ascii")), parse_float=Decimal, parse_int=int)
    except (RecursionError, InvalidOperation) as error:
        raise ValueError from error
    match content:
        case [str() as kind, value, int() as id] if kind == sort and type(id) is int and 1 <= id <= ID_MAX:
            return _sort_value(sort.removeprefix("-"), value), id
    raise ValueError


def _sort_value(column: str, value: object) -> str | Decimal | None:
    try:
        if column == "title" and isinstance(value, str):
            check_text("title", value, max_length=TITLE_MAX_LENGTH)
            return value
        if column == "price" and isinstance(value, int | Decimal) and not isinstance(value, bool):
            return exact_price(Decimal(value))
    except (InvalidValue, InvalidOperation) as error:
        raise ValueError from error
    if value is None and column != "title":
        return None
    raise ValueError
