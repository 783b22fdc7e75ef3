"""Opaque cursors for lists that are not sorted by id."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.errors import InvalidValue
from domain.items import exact_price
from domain.text import check_text
from service_layer.aggregates import AnyAggregate
from service_layer.read_models import ID_MAX

Position = tuple[Any, int]
"""The value of a row's sort column, and its id."""


def cursor(sort: str, row: Mapping[str, Any]) -> str:
    """The cursor of this row, safe in URLs."""
    column = sort.removeprefix("-")
    value = None if column == "id" else row[column]
    text = json.dumps([sort, value, row["id"]], ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(text: str, sort: str, aggregate: AnyAggregate) -> Position:
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
            return _sort_value(aggregate, sort.removeprefix("-"), value), id
    raise ValueError


def _sort_value(aggregate: AnyAggregate, column: str, value: object) -> object:
    kind = aggregate.kind(column)
    try:
        if value is None and (column == "id" or aggregate.is_nullable(column)):
            return None
        if isinstance(value, str) and kind is str:
            check_text(column, value, max_length=len(value))
            return value
        if column == "id" or (type(value) is bool) != (kind is bool):
            raise ValueError
        if kind is bool:
            return value
        if isinstance(value, int | Decimal) and kind is Decimal:
            return exact_price(Decimal(value))
        if isinstance(value, int) and kind is int and abs(value) <= ID_MAX:
            return value
    except (InvalidValue, InvalidOperation) as error:
        raise ValueError from error
    raise ValueError
