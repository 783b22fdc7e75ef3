"""Requests that may be sent again: the ``Idempotency-Key`` header (draft-ietf-httpapi-idempotency-key-header)."""

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
"""Visible ASCII as it stands, or a String in quotes (RFC 9651 §3.3.3)."""

_Key = Annotated[
    list[str] | None,
    WithJsonSchema({"type": "string", "pattern": KEY_PATTERN}),
    Header(
        description="Your name for this request, such as a UUID. Send the request again with it, and for 24 hours you "
        "get the first answer again, and nothing is done twice. Quotes around it are not part of it."
    ),
]

Idempotency = Callable[[object], IdempotentRequest | None]
"""Given what the body says, without anything secret: what distinguishes the request from others with the same key.
None where it has no key. Raises RequestValidationError where the header is not a key."""


async def idempotency(request: Request, idempotency_key: _Key = None) -> Idempotency:
    """What makes this request one that may be sent again."""

    def idempotent(content: object) -> IdempotentRequest | None:
        if idempotency_key is None:
            return None
        key, *more = idempotency_key
        if more or not re.fullmatch(KEY_PATTERN, key):
            message = "There should be one such header, with 1 to 255 visible ASCII characters, in quotes or without"
            raise RequestValidationError([{"loc": ("header", HEADER), "msg": message, "type": "idempotency_key"}])
        fingerprint = sha256(f"{request.method} {request.scope['path']}\n".encode() + to_json(content)).hexdigest()
        return IdempotentRequest(_unquoted(key), fingerprint, int(request.app.state.container.clock()))

    return idempotent


IdempotencyDep = Annotated[Idempotency, Depends(idempotency)]


def _unquoted(key: str) -> str:
    """The key itself. The draft makes it a String (RFC 9651 §3.3.3), but many clients send it without quotes."""
    return re.sub(r"\\(.)", r"\1", key[1:-1]) if key.startswith('"') else key
