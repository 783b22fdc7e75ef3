"""HEAD for whatever has GET, as RFC 9110 §9.1 asks of every server and FastAPI does not by itself."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Answers HEAD as GET is answered, without the content (RFC 9110 §9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        routed = {**scope, "method": "GET"}

        async def send_head(message: Message) -> None:
            scope.update(routed, method="HEAD")  # whoever asked may want to know the route
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app(routed, receive, send_head)
