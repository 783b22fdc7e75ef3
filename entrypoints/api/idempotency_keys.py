"""Requests that may come again: the ``Idempotency-Key`` header (draft-ietf-httpapi-idempotency-key-header)."""

import re
from hashlib import sha256

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json

from entrypoints.api.dependencies import container
from entrypoints.api.documentation import KEY_PATTERN
from service_layer.idempotency import Attempt

HEADER = "Idempotency-Key"


def attempt(request: Request, content: object) -> Attempt | None:
    """What tells this request from others with the same key; None where it has none.

    :param content: what the body says, without anything secret.
    :raises RequestValidationError: it is no key.
    """
    keys = request.headers.getlist(HEADER)
    if not keys:
        return None
    key, *more = keys
    if more or not re.fullmatch(KEY_PATTERN, key):
        message = "There should be one such header, with 1 to 255 visible ASCII characters, in quotes or without"
        raise RequestValidationError([{"loc": ("header", HEADER), "msg": message, "type": "idempotency_key"}])
    asked = f"{request.method} {request.scope['path']}\n".encode() + to_json(content)
    return Attempt(_unquoted(key), sha256(asked).hexdigest(), int(container(request).clock()))


def _unquoted(key: str) -> str:
    """The key itself. The draft makes it a String (RFC 9651 §3.3.3), but many clients send it without quotes."""
    return re.sub(r"\\(.)", r"\1", key[1:-1]) if key.startswith('"') else key
