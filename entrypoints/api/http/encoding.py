"""JSON of what may be large, encoded in steps between which other threads run.

orjson holds the GIL until it is done, which is 10 ms for 6 MB. With four threads that encode as much, each step of the
event loop waited for all of them.
"""

from collections.abc import Sequence
from typing import Any, cast

from orjson import dumps

from domain.items import DESCRIPTION_MAX_LENGTH
from entrypoints.api.http.unsent import check_room
from service_layer.read_models import ItemView, Page, UserView

_LARGE = 256 * 1024
"""Characters of descriptions that are not encoded in one step."""

_FEW_ITEMS = 10
"""Items that are encoded in one step, however long their descriptions are."""

_FEW_USERS = 10
"""Users with few items that are encoded in one step."""

Views = Page[UserView] | Page[ItemView]


def encode(view: UserView | ItemView) -> bytes:
    """One resource as JSON.

    :raises TooManyUnsent: it is large, and there is no room for it.
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
    """As many rows of a page as fit into ``max_bytes`` of JSON, but at least the first one, and that JSON.

    :raises TooManyUnsent: it is large, and there is no room for it.
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
