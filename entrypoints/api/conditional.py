"""Conditional requests: answers that need not be sent again, and changes of what was seen (RFC 9110 §13)."""

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from fastapi import Request
from orjson import dumps

_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS = re.compile(_TAG)
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
"""A list may have empty elements (RFC 9110 §5.6.1)."""


def entity_tag(body: bytes) -> str:
    """A strong validator: another one for every other body (RFC 9110 §8.8.3)."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has this answer already, by ``If-None-Match``; whether a tag is weak does not matter."""
    given = request.headers.getlist("If-None-Match")
    return bool(given) and _names(given, tag, f"W/{tag}")


def seen(request: Request) -> Callable[[Mapping[str, Any]], bool] | None:
    """What tells whether something is still as the client saw it, by ``If-Match``; None where it does not ask.

    Weak tags never match.
    """
    given = request.headers.getlist("If-Match")
    return (lambda view: _names(given, entity_tag(dumps(view)))) if given else None


def _names(given: list[str], *tags: str) -> bool:
    """Whether one of these tags is in the lines of a header, or ``*`` is all they say; what is no list names none."""
    value = ", ".join(given)
    if value.strip(" \t") == "*":
        return True
    return _LIST.fullmatch(value) is not None and not set(tags).isdisjoint(_TAGS.findall(value))
