"""Safe retries: the ``Idempotency-Key`` header (draft-ietf-httpapi-idempotency-key-header)."""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic import WithJsonSchema
from pydantic_core import to_json

from service_layer.idempotency import IdempotentRequest

HEADER = "Idempotency-Key"
KEY_PATTERN = r'^(?:[!#-~][!-~]{0,254}|"(?:[ !#-\[\]-~]|\\["\\]){1,255}")$'
"""Visible ASCII, or a quoted String (RFC 9651 §3.3.3)."""

_Key = Annotated[
    list[str] | None,
    WithJsonSchema({"type": "string", "pattern": KEY_PATTERN}),
    Header(
        alias=HEADER,
        description="A unique key for this request, such as a UUID. If you retry the request with the same key within "
        "24 hours, nothing is done twice and you get the first response again. Quotes around the key are optional.",
    ),
]

Idempotency = Callable[[object], IdempotentRequest | None]
"""Takes the content of the body without secrets, and returns the key with a fingerprint of the request; None without a
key. Raises RequestValidationError if the header is not valid."""


async def idempotency(request: Request, idempotency_key: _Key = None) -> Idempotency:
    """A function that identifies this request by its key and its content."""

    def idempotent(content: object) -> IdempotentRequest | None:
        if idempotency_key is None:
            return None
        key, *more = idempotency_key
        if more or not re.fullmatch(KEY_PATTERN, key):
            message = "Send one key of 1 to 255 visible ASCII characters, with or without quotes"
            raise RequestValidationError([{"loc": ("header", HEADER), "msg": message, "type": "idempotency_key"}])
        fingerprint = sha256(f"{request.method} {request.scope['path']}\n".encode() + to_json(content)).hexdigest()
        return IdempotentRequest(_unquote(key), fingerprint, int(request.app.state.container.clock()))

    return idempotent


IdempotencyDep = Annotated[Idempotency, Depends(idempotency)]


def _unquote(key: str) -> str:
    """The key without quotes. The draft requires them (RFC 9651 §3.3.3), but many clients do not send them."""
    return re.sub(r"\\(.)", r"\1", key[1:-1]) if key.startswith('"') else key
