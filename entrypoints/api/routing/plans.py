"""Plans: how a route is served without working out anew, for each request, what its functions ask for.

A plan does what FastAPI's ``solve_dependencies`` and request handler do, in the same order and with FastAPI's own
fields and messages, for the kinds of routes that ``plan`` understands. It refuses all others.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, fields
from inspect import isclass, iscoroutinefunction, isfunction, signature
from typing import Any, get_args
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi._compat import field_annotation_is_sequence
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.params import Body, Header, Query
from fastapi.routing import RouteContext
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from entrypoints.api.routing.pooled_route import (
    PooledRoute,
    is_synchronous,
    parameters_that_choose,
    pool_for,
    run_in_pool,
)

Plan = Callable[[Request], Awaitable[Response]]
"""Answers a request whose path parameters are known."""

_MISSING = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}


def plan(route: RouteContext) -> Plan | None:
    """The plan of a route; None where FastAPI is to serve it.

    It is understood if its class is ``PooledRoute``, and its endpoint and all dependencies, from whichever level, are
    plain functions of path parameters, one query model, headers, one JSON body, ``Request``, and each other. A ``def``
    dependency must not come before an ``async def`` one. The endpoint must be declared to return a ``Response``.
    """
    try:
        return _plan(route)
    except _NotUnderstood:
        return None


class _NotUnderstood(Exception):
    """Something that is left to FastAPI."""


def _expect(*conditions: Any) -> None:
    if not all(conditions):
        raise _NotUnderstood


@dataclass(frozen=True, slots=True)
class _Function:
    """The endpoint or a dependency, and where its arguments come from.

    :param headers: with the names that a request may give them, and the arguments if it gives none.
    :param results: the parameters that take what dependencies returned, each with that one's place in the plan.
    """

    call: Callable[..., Any]
    is_async: bool
    path: list[Any]
    query: Any
    headers: list[Any]
    header_names: frozenset[bytes]
    header_defaults: dict[str, Any]
    body: Any
    request: str | None
    results: list[tuple[str | None, int]]

    def arguments(self, request: Request, content: Any, given: Iterable[bytes]) -> tuple[dict[str, Any], list[Any]]:
        """What the request itself gives it, and what is wrong there, in FastAPI's order.

        :param content: of the body, where it has a parameter for it.
        :param given: the names of the request's headers.
        """
        values: dict[str, Any] = {}
        errors: list[Any] = []
        for field in self.path:
            values[field.name], wrong = field.validate(request.path_params[field.alias], loc=("path", field.alias))
            errors += wrong
        if self.query is not None:
            values[self.query.name], wrong = _query(request, self.query)
            errors += wrong
        if self.header_names.isdisjoint(given):
            values |= self.header_defaults
        else:
            found, wrong = request_params_to_args(self.headers, request.headers)
            values |= found
            errors += wrong
        if self.body is not None:
            if content == b"":
                errors.append(_MISSING)
            else:
                values[self.body.name], wrong = self.body.validate(content, loc=("body",))
                errors += wrong
        if self.request is not None:
            values[self.request] = request
        return values, errors

    def can_be_called(self, results: dict[int, Any]) -> bool:
        """Whether all dependencies that it needs have returned."""
        return all(place in results for _, place in self.results)

    def run(self, values: dict[str, Any], results: dict[int, Any]) -> Any:
        """What it returns: a coroutine if it is asynchronous."""
        for name, place in self.results:
            if name is not None:
                values[name] = results[place]
        return self.call(**values)


def _plan(route: RouteContext) -> Plan:
    _expect(type(route.original_route) is PooledRoute)
    strict = route.strict_content_type
    _expect(getattr(strict, "value", strict), route.max_body_size is None, not route._embed_body_fields)
    functions: list[_Function] = []
    _add(route.dependant, functions, {}, is_endpoint=True)
    endpoint = functions[-1]
    synchronous = [each.is_async for each in functions].count(False)
    _expect(not any(each.is_async for each in functions[len(functions) - synchronous :]))
    returned = signature(endpoint.call).return_annotation
    _expect(isclass(returned) and issubclass(returned, Response))
    has_body, has_headers = endpoint.body is not None, any(each.headers for each in functions)
    choosing = parameters_that_choose(endpoint.call)

    async def respond(request: Request) -> Response:
        content = await _content(request) if has_body else None
        given = {name for name, _ in request.scope["headers"]} if has_headers else ()
        results: dict[int, Any] = {}
        errors: list[Any] = []
        later: list[tuple[int, dict[str, Any]]] = []
        for place, function in enumerate(functions):
            values, wrong = function.arguments(request, content, given)
            if wrong:
                errors += wrong
            elif not function.is_async:
                later.append((place, values))
            elif function is not endpoint and function.can_be_called(results):
                results[place] = await function.run(values, results)
        invalid = RequestValidationError(errors, body=None if content == b"" else content)
        if errors and (synchronous <= 1 or not later):
            raise invalid
        if endpoint.is_async:
            response: Response = await endpoint.run(values, results)
            return response

        def finish() -> Response:
            for place, arguments in later:
                function = functions[place]
                if function is not endpoint and function.can_be_called(results):
                    results[place] = function.run(arguments, results)
            if errors:
                raise invalid
            response: Response = endpoint.run(values, results)
            return response

        values |= {name: results[place] for name, place in endpoint.results if name is not None and place in results}
        pool = pool_for(request.method, () if errors else choosing, values)
        answer: Response = await run_in_pool(request, pool, finish)
        return answer

    return respond


def _add(dependant: Dependant, functions: list[_Function], places: dict[Any, int], *, is_endpoint: bool = False) -> int:
    """Add a function behind those that it depends on, once, and return its place."""
    call: Any = dependant.call
    if is_endpoint:
        call = getattr(call, "__wrapped__", call)  # which ``PooledRoute`` has wrapped
    if call in places:  # FastAPI would say twice what is wrong with what it asks for
        _expect(not (dependant.path_params or dependant.query_params or dependant.header_params))
        return places[call]
    _expect(isfunction(call), not hasattr(call, "__wrapped__"), iscoroutinefunction(call) or is_synchronous(call))
    _expect(_has_only_what_is_understood(dependant))
    _expect(is_endpoint or not (dependant.body_params or dependant.scope))
    results = [(each.name, _add(each, functions, places)) for each in dependant.dependencies]
    query = next(iter(dependant.query_params), None)
    _expect(len(dependant.query_params) < 2, query is None or _is_plain_model(query))
    body = next(iter(dependant.body_params), None)
    _expect(len(dependant.body_params) < 2, body is None or type(body.field_info) is Body)
    _expect(body is None or body.field_info.is_required())
    headers = dependant.header_params
    _expect(all(_is_plain_header(each) for each in headers))
    function = _Function(
        call=call,
        is_async=iscoroutinefunction(call),
        path=dependant.path_params,
        query=query,
        headers=headers,
        header_names=frozenset(each.alias.lower().encode() for each in headers),
        header_defaults={each.name: each.default for each in headers},
        body=body,
        request=dependant.request_param_name,
        results=results,
    )
    functions.append(function)
    places[call] = len(functions) - 1
    return places[call]


_LEFT_TO_FASTAPI = (
    "cookie_params",
    "websocket_param_name",
    "http_connection_param_name",
    "response_param_name",
    "background_tasks_param_name",
    "security_scopes_param_name",
    "own_oauth_scopes",
    "parent_oauth_scopes",
    "concurrency",
)


def _has_only_what_is_understood(dependant: Dependant) -> bool:
    known = {"path_params", "query_params", "header_params", "body_params", "dependencies", "name", "call"}
    known |= {"request_param_name", "use_cache", "path", "scope", *_LEFT_TO_FASTAPI}
    return (
        {each.name for each in fields(dependant)} == known  # a newer FastAPI may know more
        and dependant.use_cache
        and not any(getattr(dependant, name) for name in _LEFT_TO_FASTAPI)
    )


def _is_plain_model(query: Any) -> bool:
    """Whether it is a model, each of whose fields takes one value by its own name."""
    annotation = query.field_info.annotation
    return (
        type(query.field_info) is Query
        and isclass(annotation)
        and issubclass(annotation, BaseModel)
        and not any(
            each.alias or each.validation_alias or field_annotation_is_sequence(each.annotation)
            for each in annotation.model_fields.values()
        )
    )


def _is_plain_header(header: Any) -> bool:
    """Whether it may be left out, and is no model."""
    return (
        type(header.field_info) is Header
        and header.field_info.validation_alias in (None, header.alias)
        and not header.field_info.is_required()
        and header.default is None
        and not any(
            isclass(each) and issubclass(each, BaseModel)
            for each in (header.field_info.annotation, *get_args(header.field_info.annotation))
        )
    )


def _query(request: Request, field: Any) -> tuple[Any, list[Any]]:
    """The query as this model."""
    text = request.scope["query_string"].decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True) if text else []
    values = dict(pairs)
    if len(values) < len(pairs):
        found, wrong = request_params_to_args([field], request.query_params)
        return found.get(field.name), wrong
    value, wrong = field.validate(values, loc=("query",))
    return value, wrong


async def _content(request: Request) -> Any:
    """What the body says, or the body itself where it is not declared as JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    try:
        body = await request.body()
        return json.loads(body) if body and is_json else body
    except json.JSONDecodeError as error:
        part = {"loc": ("body", error.pos), "msg": "JSON decode error", "type": "json_invalid"}
        raise RequestValidationError([part], body=error.doc) from error
    except HTTPException:
        raise
    except Exception as error:  # as FastAPI does, whatever it is: no UTF-8, nested too deep, and so on
        raise HTTPException(400, "There was an error parsing the body") from error
