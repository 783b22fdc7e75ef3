"""JSON encoding of large responses in steps, so that other threads can run in between.

orjson holds the GIL until it is done, which takes 10 ms for 6 MB. While four threads encoded that much, each step of
the event loop waited for all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orjson import dumps

from entrypoints.api.http.unsent import check_room
from service_layer.aggregates import AnyAggregate
from service_layer.read_models import ITEMS, USERS, Page

_LARGE = 256 * 1024
"""The most characters of long texts that are encoded in one step."""

_FEW_ITEMS = 10
"""The number of items that are encoded in one step whatever the length of their texts."""

_FEW_USERS = 10
"""The number of users with few items that are encoded in one step."""

View = Mapping[str, Any]


def encode(view: View) -> bytes:
    """Encode one resource, in steps if it is a user with large items.

    :raises TooManyUnsent: it is large, and there is no room for the response.
    """
    items: Sequence[View] = view.get("items", ())
    if not _are_large(ITEMS, items):
        return dumps(view)
    pieces: list[bytes | memoryview] = [dumps({**view, "items": []})[:-2]]
    size = 0
    for begin in range(0, len(items), _FEW_ITEMS):
        piece = dumps(items[begin : begin + _FEW_ITEMS])
        size += len(piece)
        check_room(size)
        pieces += memoryview(piece)[1:-1], b","
    return b"".join((*pieces[:-1], b"]}"))


def encode_page(aggregate: AnyAggregate, page: Page[Any], max_bytes: int) -> tuple[Page[Any], bytes]:
    """Encode as many rows as fit into ``max_bytes``, but at least one; return the shortened page and its JSON.

    :raises TooManyUnsent: it is large, and there is no room for the response.
    """
    rows, are_users = page.rows, aggregate is USERS
    if not are_users and not _are_large(aggregate, rows) and len(body := dumps(rows)) <= max_bytes:
        return page, body
    pieces: list[bytes | memoryview] = []
    begin, size, step = 0, 0, _FEW_USERS if are_users else 1
    while begin < len(rows):
        some = rows[begin : begin + step]
        if step > 1 and max([len(user["items"]) for user in some]) <= _FEW_ITEMS:
            piece = dumps(some)
            if size + len(piece) > max_bytes:
                step = 1
                continue
            pieces += memoryview(piece)[1:-1], b","
        else:
            some = some[:1]
            piece = encode(some[0])
            if size + len(piece) > max_bytes and pieces:
                page = page.first(begin)
                break
            pieces += piece, b","
        size += len(piece) + 1
        check_room(size)
        begin += len(some)
    return page, b"".join((b"[", *pieces[:-1], b"]"))


def _are_large(aggregate: AnyAggregate, rows: Sequence[View]) -> bool:
    texts = aggregate.long_texts
    if len(rows) * sum(texts.values()) <= _LARGE:
        return False
    return sum(sum([len(row[text] or "") for row in rows]) for text in texts) > _LARGE
