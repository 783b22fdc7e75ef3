"""JSON encoding of large responses in steps, so that other threads can run in between.

orjson holds the GIL until it is done, which takes 10 ms for 6 MB. While four threads encoded that much, each step of
the event loop waited for all of them.
"""

from collections.abc import Sequence
from typing import Any, cast

from orjson import dumps

from domain.items import DESCRIPTION_MAX_LENGTH
from entrypoints.api.http.unsent import check_room
from service_layer.read_models import ItemView, Page, UserView

_LARGE = 256 * 1024
"""The most characters of descriptions that are encoded in one step."""

_FEW_ITEMS = 10
"""The number of items that are encoded in one step whatever the length of their descriptions."""

_FEW_USERS = 10
"""The number of users with few items that are encoded in one step."""

Views = Page[UserView] | Page[ItemView]


def encode(view: UserView | ItemView) -> bytes:
    """Encode one resource.

    :raises TooManyUnsent: it is large, and there is no room for the response.
    """
    items = cast(Sequence[ItemView], view.get("items", ()))
    if not _are_large(items):
        return dumps(view)
    pieces: list[bytes | memoryview] = [dumps({**view, "items": []})[:-2]]
    size = 0
    for begin in range(0, len(items), _FEW_ITEMS):
        piece = dumps(items[begin : begin + _FEW_ITEMS])
        size += len(piece)
        check_room(size)
        pieces += memoryview(piece)[1:-1], b","
    return b"".join((*pieces[:-1], b"]}"))


def encode_page(page: Views, max_bytes: int) -> tuple[Views, bytes]:
    """Encode as many rows as fit into ``max_bytes``, but at least one; return the shortened page and its JSON.

    :raises TooManyUnsent: it is large, and there is no room for the response.
    """
    rows: Sequence[Any] = page.rows
    are_users = rows and "items" in rows[0]
    if not are_users and not _are_large(rows) and len(body := dumps(rows)) <= max_bytes:
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


def _are_large(items: Sequence[ItemView]) -> bool:
    if len(items) * DESCRIPTION_MAX_LENGTH <= _LARGE:
        return False
    return sum([len(item["description"] or "") for item in items]) > _LARGE
