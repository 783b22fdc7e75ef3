"""Responses for paths that match no route."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

_WHOLE_SERVER = ("*", "/")
_ALL_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST"
_SAFE_IN_QUERY = "/?:@!$&'()*+,;=[]%"


class NoRoute:
    """Redirects to the same path with or without a trailing slash; answers ``OPTIONS *``; otherwise 404.

    FastAPI redirects to an absolute URL, whose scheme and host are wrong behind a proxy.

    :param routes: the routes that a redirect may lead to.
    :param not_found: answers all other requests.
    """

    def __init__(self, routes: Sequence[BaseRoute], not_found: ASGIApp) -> None:
        self._routes = routes
        self._not_found = not_found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._respond(scope) if scope["type"] == "http" else None
        await (response or self._not_found)(scope, receive, send)

    def _respond(self, scope: Scope) -> Response | None:
        root_path = scope.get("root_path", "")
        path = scope["path"].removeprefix(root_path)  # uvicorn prepends it even to the "*" of ``OPTIONS *``
        if path in _WHOLE_SERVER:
            is_options = scope["method"] == "OPTIONS"
            return Response(status_code=204, headers={"Allow": _ALL_METHODS}) if is_options else None
        other = path.rstrip("/") if path.endswith("/") else f"{path}/"
        target = {**scope, "path": f"{root_path}{other}"}
        if all(route.matches(target)[0] is Match.NONE for route in self._routes):
            return None
        query = quote(scope["query_string"], safe=_SAFE_IN_QUERY)
        return RedirectResponse(quote(target["path"]) + (f"?{query}" if query else ""))
