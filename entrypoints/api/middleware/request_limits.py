"""What is let in: so many requests at once, and their bodies up to a size and for a time."""

from asyncio import get_running_loop, timeout_at

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.api.http.problems import RETRY_AFTER, problem

LIMIT = 1024 * 1024
"""Bytes of one body."""

LIMIT_OF_ALL = 64 * LIMIT
"""Bytes that all bodies may have together which are being received or worked on."""

TOO_LARGE = "The body is larger than 1 MiB"
TOO_SLOW = "The request did not come to its end in time"
TOO_MANY = "Too many requests at once"
ENCODED = "Send the body without a Content-Encoding"

_CLOSE = {"Connection": "close"}
_IDENTITY = {"Accept-Encoding": "identity"}
_LATER = {"Retry-After": RETRY_AFTER}


class RequestLimitsMiddleware:
    """Refuses bodies that are too large or too slow, and requests that are too many.

    An announced length is refused before a byte is read, any other once it has grown too long. A request
    whose body is still on its way does not count as one that is being answered: slow clients keep nobody
    out. ``/health/`` is always let in.

    Starlette has a middleware for the size, but it answers in plain text whatever the application's error
    handlers say.

    :param requests: how many may be answered at once.
    :param body_wait: how many seconds a body may take in all.
    """

    def __init__(self, app: ASGIApp, *, requests: int, body_wait: float) -> None:
        self._app = app
        self._most = requests
        self._body_wait = body_wait
        self._answering = 0
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or path_within(scope).startswith("/health/"):
            await self._app(scope, receive, send)
        elif self._answering >= self._most:
            await problem(503, TOO_MANY, headers=_LATER)(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            self._answering += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._answering -= 1
        elif _announced(scope) > LIMIT:
            await problem(413, TOO_LARGE, headers=_CLOSE)(scope, receive, send)
        elif scope["method"] != "DELETE" and _is_encoded(scope):
            await problem(415, ENCODED, headers=_IDENTITY)(scope, receive, send)
        else:
            await self._with_body(scope, receive, send)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0
        until = get_running_loop().time() + self._body_wait

        async def limited() -> Message:
            nonlocal read
            self._answering -= 1
            try:
                async with timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, TOO_SLOW, _CLOSE) from None
            finally:
                self._answering += 1
            size = len(message.get("body", b""))
            read += size
            self._held += size
            if read > LIMIT:
                raise HTTPException(413, TOO_LARGE, _CLOSE)
            if self._held > LIMIT_OF_ALL or self._answering > self._most:
                raise HTTPException(503, TOO_MANY, _LATER)
            return message

        self._answering += 1
        try:
            await self._app(scope, limited, send)
        finally:
            self._answering -= 1
            self._held -= read


def path_within(scope: Scope) -> str:
    """The path as the routes have it, whatever the service is mounted under."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _announced(scope: Scope) -> int:
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(length[:20]) if length.isdigit() else 0  # Python refuses to read thousands of digits


def _is_encoded(scope: Scope) -> bool:
    """Whether the body has a content coding (RFC 9110 §8.4), of which none is supported."""
    codings = [value for name, value in scope["headers"] if name == b"content-encoding"]
    return any(coding.strip().lower() not in (b"", b"identity") for coding in codings)
