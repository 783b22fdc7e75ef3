"""What is answered where no route matches the path."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from entrypoints.api.middleware.request_limits import path_within

_WHOLE_SERVER = ("*", "/")
_ALL_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST"
_IN_QUERY = "/?:@!$&'()*+,;=[]%"


class NoRoute:
    """Says which methods the server has, redirects to a path that differs by the slash at its end, or gives a 404.

    FastAPI redirects too, but to a URL with a scheme and a host, which behind a proxy are not those of the client.

    :param routes: where such a path may lead.
    :param not_found: answers everything else.
    """

    def __init__(self, routes: Sequence[BaseRoute], not_found: ASGIApp) -> None:
        self._routes = routes
        self._not_found = not_found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) if scope["type"] == "http" else None
        await (answer or self._not_found)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        path = path_within(scope)
        if path in _WHOLE_SERVER:
            is_options = scope["method"] == "OPTIONS"
            return Response(status_code=204, headers={"Allow": _ALL_METHODS}) if is_options else None
        other = path.rstrip("/") if path.endswith("/") else f"{path}/"
        there = {**scope, "path": f"{scope.get('root_path', '')}{other}"}
        if all(route.matches(there)[0] is Match.NONE for route in self._routes):
            return None
        return _redirect(there["path"], scope["query_string"])


def _redirect(path: str, query: bytes) -> Response:
    return RedirectResponse(quote(path) + (f"?{quote(query, safe=_IN_QUERY)}" if query else ""))
