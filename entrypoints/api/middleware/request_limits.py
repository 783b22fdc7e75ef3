"""Limits on concurrent requests, and on the size and duration of request bodies."""

from asyncio import get_running_loop, timeout_at
from time import monotonic

from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.api.http.byte_budget import ByteBudget, HeldBytes
from entrypoints.api.http.problems import RETRY_AFTER, problem

BODY_MAX = 1024 * 1024
"""The most bytes in one body."""

ALL_BODIES_MAX = 64 * BODY_MAX
"""The most bytes in all bodies of current requests."""

SMALL_BODY_MAX = 16 * 1024
"""The most bytes in a small body."""

SMALL_BODIES_RESERVE = 8 * BODY_MAX
"""The bytes of ``ALL_BODIES_MAX`` that are for small bodies only."""

TOO_LARGE = "The body is larger than 1 MiB"
TOO_SLOW = "The request did not arrive in time"
TOO_MANY = "Too many requests at once"
ENCODED = "Send the body without a Content-Encoding"

_CLOSE = {"Connection": "close"}
_IDENTITY = {"Accept-Encoding": "identity"}
_RETRY_AFTER = {"Retry-After": RETRY_AFTER}


class RequestLimitsMiddleware:
    """Refuses requests beyond a number, and bodies that are too large or take too long.

    A body with a ``Content-Length`` over the limit is refused unread, a chunked one once it exceeds the limit. A
    request does not count while it waits for its body, or while its client reads the response, so slow clients do not
    keep others out. If the bodies have too many bytes, clients are disconnected that have been sending theirs for
    longest; if that is not enough, the next body is refused. ``/health/`` is exempt.

    Starlette's middleware for the size always answers in plain text, even if the application has exception handlers.

    :param requests: the most requests in progress at once.
    :param body_wait: seconds until a body must have arrived.
    """

    def __init__(self, app: ASGIApp, *, requests: int, body_wait: float) -> None:
        self._app = app
        self._requests_max = requests
        self._body_wait = body_wait
        self._in_progress = 0
        self._bodies = ByteBudget(ALL_BODIES_MAX, small=SMALL_BODY_MAX, reserve=SMALL_BODIES_RESERVE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or get_route_path(scope).startswith("/health/"):
            await self._app(scope, receive, send)
        elif self._in_progress >= self._requests_max:
            await problem(503, TOO_MANY, headers=_RETRY_AFTER)(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            self._in_progress += 1
            try:
                await self._app(scope, receive, self._uncounted(send))
            finally:
                self._in_progress -= 1
        elif _content_length(scope) > BODY_MAX:
            await problem(413, TOO_LARGE, headers=_CLOSE)(scope, receive, send)
        elif scope["method"] != "DELETE" and _is_encoded(scope):
            await problem(415, ENCODED, headers=_IDENTITY)(scope, receive, send)
        else:
            await self._with_body(scope, receive, send)

    def _uncounted(self, send: Send, body: HeldBytes | None = None) -> Send:
        """The same, but a request does not count while its client reads the response."""

        async def send_uncounted(message: Message) -> None:
            self._in_progress -= 1
            if body is not None:
                body.waiting_since = monotonic()
            try:
                await send(message)
            finally:
                self._in_progress += 1
                if body is not None:
                    body.waiting_since = None

        return send_uncounted

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0
        began = monotonic()
        deadline = get_running_loop().time() + self._body_wait
        body = self._bodies.hold(scope)

        async def receive_limited() -> Message:
            nonlocal received
            self._in_progress -= 1
            body.waiting_since = began
            try:
                async with timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, TOO_SLOW, _CLOSE) from None
            finally:
                self._in_progress += 1
                body.waiting_since = None
            size = len(message.get("body", b""))
            received += size
            if received > BODY_MAX:
                raise HTTPException(413, TOO_LARGE, _CLOSE)
            if not self._bodies.make_room(body, size) or self._in_progress > self._requests_max:
                raise HTTPException(503, TOO_MANY, _RETRY_AFTER)
            self._bodies.add(body, size)
            return message

        self._in_progress += 1
        try:
            await self._app(scope, receive_limited, self._uncounted(send, body))
        finally:
            self._in_progress -= 1
            self._bodies.release(body)


def _content_length(scope: Scope) -> int:
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(length[:20]) if length.isdigit() else 0  # int() raises for thousands of digits


def _is_encoded(scope: Scope) -> bool:
    """Whether the body has a content coding (RFC 9110 §8.4); none is supported."""
    codings = [value for name, value in scope["headers"] if name == b"content-encoding"]
    return any(coding.strip().lower() not in (b"", b"identity") for coding in codings)
