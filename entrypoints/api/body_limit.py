"""No body over 1 MiB, announced or not.

Starlette has a middleware for this, but it answers in plain text whatever the application's
error handlers say.
"""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.api.problems import problem

LIMIT = 1024 * 1024
_DETAIL = "The body is larger than 1 MiB"


class BodyLimit:
    """Refuses an announced length before a byte is read, and any other once it has grown too long."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        if _announced(scope) > LIMIT:
            await problem(413, _DETAIL, headers={"Connection": "close"})(scope, receive, send)
            return
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LIMIT:
                raise HTTPException(413, _DETAIL, {"Connection": "close"})
            return message

        await self._app(scope, limited, send)


def _announced(scope: Scope) -> int:
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(length[:20]) if length.isdigit() else 0  # Python refuses to read thousands of digits
