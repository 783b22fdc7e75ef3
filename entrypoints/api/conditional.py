"""Conditional requests: answers that need not be sent again, and changes of what was seen (RFC 9110 §13)."""

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from fastapi import Request
from orjson import dumps

_ENTITY_TAG = re.compile(r'(W/)?("[^"\s]*")')


def entity_tag(body: bytes) -> str:
    """A strong validator: another one for every other body (RFC 9110 §8.8.3)."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has this answer already, by ``If-None-Match``; whether a tag is weak does not matter."""
    given = ", ".join(request.headers.getlist("If-None-Match"))
    return given.strip() == "*" or any(known == tag for _, known in _ENTITY_TAG.findall(given))


def seen(request: Request) -> Callable[[Mapping[str, Any]], bool] | None:
    """What tells whether something is still as the client saw it, by ``If-Match``; None where it does not ask.

    Weak tags never match, nor does what is no tag.
    """
    given = request.headers.getlist("If-Match")
    if not given or [each.strip() for each in given] == ["*"]:
        return None
    tags = {tag for weak, tag in _ENTITY_TAG.findall(", ".join(given)) if not weak}
    return lambda view: entity_tag(dumps(view)) in tags
