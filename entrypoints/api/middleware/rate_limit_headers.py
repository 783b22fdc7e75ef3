"""``RateLimit`` headers (draft-ietf-httpapi-ratelimit-headers), as middleware."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RateLimitHeadersMiddleware:
    """Adds the ``RateLimit`` headers to the response to every counted request, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            headers = scope.get("state", {}).get("rate_limit_headers")
            if headers and message["type"] == "http.response.start":
                raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
                message = {**message, "headers": [*message["headers"], *raw]}
            await send(message)

        await self._app(scope, receive, send_with_headers)
