"""Request ids, common response headers and the access log, for every request."""

import logging
import re
from collections.abc import Collection
from random import getrandbits
from time import perf_counter
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.routing import iter_route_contexts
from fastapi.staticfiles import StaticFiles
from starlette._utils import get_route_path
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.api.http.problems import problem
from entrypoints.api.middleware.cors import CorsMiddleware
from entrypoints.logging import Access, AccessLog, request_id

UNKNOWN = "-"
"""The route of a request that matched none or was refused before routing."""

_ASCII = bytes(range(128))
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}")
_METHODS = frozenset(("GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE", "CONNECT"))
_WITHOUT_CONTENT = frozenset(("GET", "HEAD", "DELETE"))
_CHECK_DISCONNECT_AFTER = 0.01
"""Seconds. Few clients disconnect sooner, and a check costs 5 µs."""

_BROWSER_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""They keep browsers from guessing types, and pages of other origins from learning by embedding what exists."""
_NO_STORE = ((b"cache-control", b"no-store"),)

logger = logging.getLogger("belongings")


class RequestContextMiddleware:
    """Adds an id and common headers to every response, and calls the observers when a request has ended.

    It must be the outermost middleware, so that it covers what the others answer.

    Responses are not to be stored, as they hold personal data; only the assets of ``/docs`` may be.

    It logs an exception without a handler and raises it again. Starlette's ``ServerErrorMiddleware`` then calls
    ``internal_server_error``, or the application's own handler for ``Exception``.

    :param observers: called with an ``Access`` for each request.
    """

    def __init__(self, app: ASGIApp, *observers: AccessLog) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not scope["query_string"].isascii():  # percent-encode it, as the client should have (RFC 3987 §3.1)
            scope["query_string"] = quote(scope["query_string"], safe=_ASCII).encode()
        started = perf_counter()
        id = _client_request_id(scope) or new_request_id()
        request_id.set(id)
        status: int | None = None
        disconnected = False
        body_received = scope["method"] in _WITHOUT_CONTENT

        async def observed_receive() -> Message:
            nonlocal disconnected, body_received
            message = await receive()
            disconnected = disconnected or (status is None and message["type"] == "http.disconnect")
            body_received = not message.get("more_body", False)
            return message

        async def observed_send(message: Message) -> None:
            nonlocal status, disconnected
            if message["type"] != "http.response.start":
                await send(message)
                return
            status = message["status"]
            public = isinstance(scope.get("endpoint"), StaticFiles)
            await send({**message, "headers": [*message["headers"], *common_headers(id, public=public)]})
            if body_received and not disconnected and perf_counter() - started > _CHECK_DISCONNECT_AFTER:
                disconnected = _is_disconnected(receive)

        try:
            await self._app(scope, observed_receive, observed_send)
        except Exception as error:
            logger.error("unexpected error", exc_info=error)
            status = status or 500
            raise
        finally:
            seconds = perf_counter() - started
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            client = scope.get("client") or (UNKNOWN,)
            aborted = disconnected or status is None
            access = Access(id, method, _route_template(scope), status, aborted, seconds, client[0])
            for observe in self._observers:
                observe(access)


async def internal_server_error(_request: Request, _error: Exception, *, origins: Collection[str]) -> Any:
    """The response to a request that raised an exception without a handler.

    It does not pass through the middleware, so their headers are added here.
    """
    response = problem(500, "Something went wrong on our side; it has been logged")
    response.raw_headers += common_headers(request_id.get() or UNKNOWN)
    return CorsMiddleware(response, origins) if origins else response


def new_request_id() -> str:
    """A random request id."""
    return f"{getrandbits(96):024x}"


def common_headers(id: str, *, public: bool = False) -> list[tuple[bytes, bytes]]:
    """The headers that every response has.

    :param public: whether caches may store the response.
    """
    return [(b"x-request-id", id.encode()), *_BROWSER_HEADERS, *(() if public else _NO_STORE)]


def _client_request_id(scope: Scope) -> str | None:
    """The ``X-Request-ID`` of the client, if it is valid."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if _REQUEST_ID.fullmatch(value) else None
    return None


def _is_disconnected(receive: Receive) -> bool:
    """Whether the server already knows that the client has disconnected. The body must have been received.

    Call it only once the response has started: before that, ``receive`` may make the server send ``100 Continue``.
    """
    receiving = receive().__await__()
    try:
        next(receiving)
    except StopIteration as received:
        return bool(received.value["type"] == "http.disconnect")
    receiving.close()
    return False


def _route_template(scope: Scope) -> str:
    """The path template of the matched route, such as ``/items/{item_id}``."""
    if "route_template" not in scope and "endpoint" in scope:  # FastAPI matched the route, not the route table
        endpoint, path = scope["endpoint"], get_route_path(scope)
        for route in iter_route_contexts(scope["app"].routes):
            if isinstance(route.original_route, Mount):
                found = route.original_route.app is endpoint
            else:
                found = route.endpoint is endpoint and route.path_regex.match(path)
            if found:
                return str(route.path)
    return str(scope.get("route_template", UNKNOWN))
