"""What every request gets, whoever answers it: an id, a line in the log, and an answer even where something broke."""

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
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.api.http.problems import problem
from entrypoints.api.middleware.cors import CorsMiddleware
from entrypoints.api.middleware.request_limits import path_within
from entrypoints.logging import Access, AccessLog, request_id

NOTHING_KNOWN = "-"
"""The route of a request that was refused before it looked for one, or found none."""

_ASCII = bytes(range(128))
_GIVEN = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}")
_METHODS = frozenset(("GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE", "CONNECT"))
_WITHOUT_CONTENT = frozenset(("GET", "HEAD", "DELETE"))
_QUICK = 0.01
"""Seconds: before that a server has hardly heard that somebody has gone, and to ask costs 5 µs."""

_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_NO_STORE = ((b"cache-control", b"no-store"),)

logger = logging.getLogger("belongings")


class RequestContextMiddleware:
    """To stand before all other middlewares, so that what they answer gets the same.

    Answers are not to be stored by anybody, as they hold personal data; only the assets of ``/docs`` are.

    An exception that no handler has caught is logged here, and goes on to Starlette's ``ServerErrorMiddleware``, whose
    answer is ``internal_error`` or the application's own.

    :param observers: called with how each request ended.
    """

    def __init__(self, app: ASGIApp, *observers: AccessLog) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not scope["query_string"].isascii():  # as it would be if the client had encoded it (RFC 3987 §3.1)
            scope["query_string"] = quote(scope["query_string"], safe=_ASCII).encode()
        begun = perf_counter()
        id = _given_id(scope) or new_id()
        request_id.set(id)
        status: int | None = None
        left = False
        read = scope["method"] in _WITHOUT_CONTENT

        async def receive_on() -> Message:
            nonlocal left, read
            message = await receive()
            left = left or (status is None and message["type"] == "http.disconnect")
            read = not message.get("more_body", False)
            return message

        async def send_on(message: Message) -> None:
            nonlocal status, left
            if message["type"] != "http.response.start":
                await send(message)
                return
            status = message["status"]
            public = type(scope.get("endpoint")) is StaticFiles
            await send({**message, "headers": [*message["headers"], *headers_for(id, public=public)]})
            if read and not left and perf_counter() - begun > _QUICK:
                left = _has_left(receive)

        try:
            await self._app(scope, receive_on, send_on)
        except Exception as error:
            logger.error("unexpected error", exc_info=error)
            status = status or 500
            raise
        finally:
            seconds = perf_counter() - begun
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            client = scope.get("client") or (NOTHING_KNOWN,)
            access = Access(id, method, _template(scope), status, left or status is None, seconds, client[0])
            for observe in self._observers:
                observe(access)


async def internal_error(_request: Request, _error: Exception, *, origins: Collection[str]) -> Any:
    """The answer to a request that ended with an exception that no handler has caught.

    It is sent past all middleware, and so gets here what they would have added.
    """
    response = problem(500, "Something went wrong on our side; it has been logged")
    response.raw_headers += headers_for(request_id.get() or NOTHING_KNOWN)
    return CorsMiddleware(response, origins) if origins else response


def new_id() -> str:
    """An id that no other request has."""
    return f"{getrandbits(96):024x}"


def headers_for(id: str, *, public: bool = False) -> list[tuple[bytes, bytes]]:
    """What the head of every answer has.

    :param public: whether anybody may keep it.
    """
    return [(b"x-request-id", id.encode()), _NO_SNIFFING, *(() if public else _NO_STORE)]


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if _GIVEN.fullmatch(value) else None
    return None


def _has_left(receive: Receive) -> bool:
    """Whether the client has gone away, where there is nothing more to hear from it than that; it is not waited for.

    After the head of the answer only: a server that is asked before may tell a client to send on.
    """
    asking = receive().__await__()
    try:
        next(asking)
    except StopIteration as heard:
        return bool(heard.value["type"] == "http.disconnect")
    asking.close()
    return False


def _template(scope: Scope) -> str:
    """The path as the route has it, with names in the place of ids."""
    if "route_template" not in scope and "endpoint" in scope:  # it was not the table of routes that found the route
        endpoint, path = scope["endpoint"], path_within(scope)
        for route in iter_route_contexts(scope["app"].routes):
            if isinstance(route.original_route, Mount):
                found = route.original_route.app is endpoint
            else:
                found = route.endpoint is endpoint and route.path_regex.match(path)
            if found:
                return str(route.path)
    return str(scope.get("route_template", NOTHING_KNOWN))
