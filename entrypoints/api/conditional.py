"""Conditional requests: answers that need not be sent again, and changes of what was seen (RFC 9110 §13)."""

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from fastapi import Request
from orjson import dumps

from domain.errors import StaleVersion

_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS = re.compile(_TAG)
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
"""A list may have empty elements (RFC 9110 §5.6.1)."""

_CONDITIONS = (b"if-match", b"if-none-match")


def entity_tag(body: bytes) -> str:
    """A strong validator: another one for every other body (RFC 9110 §8.8.3)."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has what has this tag now, by ``If-None-Match``; whether a tag is weak does not matter there.

    :raises StaleVersion: it is not as ``If-Match`` says, which comes first (RFC 9110 §13.2.2); weak tags never match.
    """
    if _names(request, b"if-match", tag) is False:
        raise StaleVersion
    return _names(request, b"if-none-match", tag, f"W/{tag}") is True


def precondition(request: Request) -> Callable[[Mapping[str, Any]], bool] | None:
    """What tells whether something is to be changed as it is now, by the same; None where the client does not ask."""
    if not any(name in _CONDITIONS for name, _ in request.scope["headers"]):
        return None
    return lambda view: not is_known(request, entity_tag(dumps(view)))


def _names(request: Request, header: bytes, *tags: str) -> bool | None:
    """Whether one of these tags is in the lines of this header, or ``*`` is all they say; None where there are none.

    What is no list of tags names none of them.
    """
    lines = [value for name, value in request.scope["headers"] if name == header]
    if not lines:
        return None
    value = b",".join(lines).decode("latin-1")
    if value.strip(" \t") == "*":
        return True
    return _LIST.fullmatch(value) is not None and not set(tags).isdisjoint(_TAGS.findall(value))
