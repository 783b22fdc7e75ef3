"""A table of routes, by method and first path segment."""

from collections.abc import Iterable
from dataclasses import dataclass
from re import Pattern
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRouter, RouteContext, iter_route_contexts
from starlette._utils import get_route_path
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from entrypoints.api.routing.plans import Plan, plan


@dataclass(frozen=True, slots=True)
class _Entry:
    """A route: which requests match it, and its plan if it has one.

    :param segment: the first segment of its path; None if that is not fixed.
    :param pattern: the paths that match; None if only FastAPI knows.
    :param methods: the methods that match; None for all.
    """

    segment: str | None
    pattern: Pattern[str] | None
    methods: frozenset[str] | None
    plan: Plan | None
    context: RouteContext


def install_route_table(app: FastAPI) -> None:
    """Put a table of routes before the router of this application."""
    app.router.middleware_stack = RouteTable(app)


class RouteTable:
    """Handles requests for planned routes; all others go on to the application's router.

    It finds the same route as the router: the first that matches, in FastAPI's order. The router handles all requests
    while there are ``dependency_overrides``, and those that FastAPI traces. The first request plans the routes; they
    are planned again when routes have been added.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._router = app.router.middleware_stack
        self._buckets: dict[tuple[str, str | None], list[_Entry]] = {}
        self._routers: list[APIRouter] = []
        self._count = -1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._app.dependency_overrides or scope.get("fastapi.telemetry"):
            await self._router(scope, receive, send)
            return
        if sum([len(router.routes) for router in self._routers]) != self._count:
            self._plan()
        entry = self._find(scope)
        if entry is None or entry.plan is None:
            await self._router(scope, receive, send)
            return
        request = Request(scope, receive, send)
        response = await entry.plan(request)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> _Entry | None:
        path = get_route_path(scope)
        method = scope["method"]
        segment = path.split("/", 2)[1] if path.startswith("/") else ""
        bucket = self._buckets.get((method, segment)) or self._buckets.get((method, None))
        for entry in bucket or ():
            if entry.pattern is None:
                return None
            match = entry.pattern.match(path)
            if match and (entry.methods is None or method in entry.methods):
                if entry.plan is not None:
                    context: Any = entry.context
                    values = match.groupdict()
                    scope["path_params"] = {
                        **scope.get("path_params", {}),
                        **{name: context.param_convertors[name].convert(value) for name, value in values.items()},
                    }
                    scope["endpoint"] = context.endpoint
                    scope["route"] = context.original_route
                    scope["router"] = self._app.router
                    scope["route_template"] = context.path
                return entry
        return None

    def _plan(self) -> None:
        self._routers = list(_routers(self._app.router))
        self._count = sum(len(router.routes) for router in self._routers)
        contexts = iter_route_contexts(self._app.routes)
        entries = [_entry(each) for each in contexts if not isinstance(each.original_route, WebSocketRoute)]
        methods = {method for entry in entries for method in entry.methods or ()}
        segments = {entry.segment for entry in entries} | {None}
        self._buckets = {
            (method, segment): [
                entry
                for entry in entries
                if entry.segment in (None, segment) and (entry.methods is None or method in entry.methods)
            ]
            for method in methods
            for segment in segments
        }


def _entry(context: RouteContext) -> _Entry:
    original = context.original_route
    if not isinstance(original, Route | Mount):
        return _Entry(None, None, None, None, context)
    methods = frozenset(context.methods) if context.methods else None
    return _Entry(_segment(context.path or ""), context.path_regex, methods, plan(context), context)


def _segment(path: str) -> str | None:
    """The first segment of a path template; None if it contains a parameter."""
    _, *segments = path.split("/", 2)
    return None if not segments or "{" in segments[0] else segments[0]


def _routers(router: APIRouter) -> Iterable[APIRouter]:
    yield router
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if isinstance(included, APIRouter):
            yield from _routers(included)
