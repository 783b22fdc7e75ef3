"""HEAD for every route with GET. RFC 9110 §9.1 requires it; FastAPI does not add it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Answers HEAD like GET, without the content (RFC 9110 §9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        get_scope = {**scope, "method": "GET"}

        async def send_head(message: Message) -> None:
            scope.update(get_scope, method="HEAD")  # outer middleware may read the matched route
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app(get_scope, receive, send_head)
