"""A limit on the bytes of large responses that clients have not received yet, as middleware."""

from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.api.http.byte_budget import ByteBudget
from entrypoints.api.http.problems import problem
from entrypoints.api.http.unsent import PIECE, TooManyUnsent, unsent_budget


class ResponseLimitsMiddleware:
    """Sends a large response in pieces as the client reads them, and refuses it if too many bytes are being sent.

    Before it refuses one, it disconnects clients that have read nothing for a while. Without this middleware, a
    connection would buffer a body of any size until the client has read it. All inner middleware has returned before
    the first piece is sent, so slow clients do not count as requests in progress. The response to an unsafe method is
    always sent, as the change has been made.
    """

    def __init__(self, app: ASGIApp, unsent: ByteBudget) -> None:
        self._app = app
        self._unsent = unsent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        unsent_budget.set(self._unsent if scope["method"] in ("GET", "HEAD") else None)
        start: Message | None = None
        large = b""

        async def send_unless_large(message: Message) -> None:
            nonlocal start, large
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                if len(message.get("body", b"")) > PIECE and not message.get("more_body"):
                    large = message["body"]
                    return
                await send(start)
                start = None
            await send(message)

        await self._app(scope, receive, send_unless_large)
        if start is None:
            return
        held = self._unsent.hold(scope)
        if not self._unsent.make_room(held, len(large)) and scope["method"] == "GET":
            self._unsent.release(held)
            error = TooManyUnsent()
            await problem(error.status_code, error.detail, headers=error.headers)(scope, receive, send)
            return
        self._unsent.add(held, len(large))
        try:
            await send(start)
            for begin in range(0, len(large), PIECE):
                held.waiting_since = monotonic()
                more = begin + PIECE < len(large)
                await send({"type": "http.response.body", "body": large[begin : begin + PIECE], "more_body": more})
        finally:
            self._unsent.release(held)
