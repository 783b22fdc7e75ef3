"""Plans: request handlers for routes whose dependencies are analyzed once, not for each request.

A plan does the same as FastAPI's ``solve_dependencies`` and request handler, in the same order and with the same fields
and messages, for the kinds of routes that ``plan`` supports. FastAPI handles all others.
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
    pool_choosers,
    pool_for,
    run_in_pool,
)

Plan = Callable[[Request], Awaitable[Response]]
"""Responds to a request that the route matches, with its path parameters in the scope."""

_MISSING = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}


def plan(route: RouteContext) -> Plan | None:
    """The plan of a route; None if it is not supported, and FastAPI handles it.

    A route is supported if its class is ``PooledRoute``, and its endpoint and all dependencies, from any level, are
    plain functions of path parameters, one query model, headers, one JSON body, ``Request``, and other dependencies. A
    ``def`` dependency must not come before an ``async def`` one. The endpoint must be annotated to return a
    ``Response``.
    """
    try:
        return _plan(route)
    except _Unsupported:
        return None


class _Unsupported(Exception):
    """The route is left to FastAPI."""


def _require(*conditions: Any) -> None:
    if not all(conditions):
        raise _Unsupported


@dataclass(frozen=True, slots=True)
class _Function:
    """The endpoint or a dependency, and where its arguments come from.

    :param header_names: the names of ``headers`` in a request.
    :param header_defaults: the arguments for ``headers`` if the request has none of them.
    :param results: the parameters for results of dependencies, each with the index of that dependency in the plan; the
        name is None for a dependency whose result is not used.
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

    def arguments(self, request: Request, content: Any, sent: Iterable[bytes]) -> tuple[dict[str, Any], list[Any]]:
        """The arguments that come from the request, and the validation errors, in FastAPI's order.

        :param content: the parsed body; it is not used without a body parameter.
        :param sent: the names of the request's headers.
        """
        values: dict[str, Any] = {}
        errors: list[Any] = []
        for field in self.path:
            values[field.name], invalid = field.validate(request.path_params[field.alias], loc=("path", field.alias))
            errors += invalid
        if self.query is not None:
            values[self.query.name], invalid = _parse_query(request, self.query)
            errors += invalid
        if self.header_names.isdisjoint(sent):
            values |= self.header_defaults
        else:
            headers, invalid = request_params_to_args(self.headers, request.headers)
            values |= headers
            errors += invalid
        if self.body is not None:
            if content == b"":
                errors.append(_MISSING)
            else:
                values[self.body.name], invalid = self.body.validate(content, loc=("body",))
                errors += invalid
        if self.request is not None:
            values[self.request] = request
        return values, errors

    def can_be_called(self, results: dict[int, Any]) -> bool:
        """Whether all of its dependencies have returned."""
        return all(index in results for _, index in self.results)

    def run(self, values: dict[str, Any], results: dict[int, Any]) -> Any:
        """Call the function; return its result, or a coroutine if it is ``async def``."""
        for name, index in self.results:
            if name is not None:
                values[name] = results[index]
        return self.call(**values)


def _plan(route: RouteContext) -> Plan:
    _require(type(route.original_route) is PooledRoute)
    strict = route.strict_content_type
    _require(getattr(strict, "value", strict), route.max_body_size is None, not route._embed_body_fields)
    functions: list[_Function] = []
    _add(route.dependant, functions, {}, is_endpoint=True)
    endpoint = functions[-1]
    synchronous = [each.is_async for each in functions].count(False)
    _require(not any(each.is_async for each in functions[len(functions) - synchronous :]))
    returned = signature(endpoint.call).return_annotation
    _require(isclass(returned) and issubclass(returned, Response))
    has_body, has_headers = endpoint.body is not None, any(each.headers for each in functions)
    choosers = pool_choosers(endpoint.call)

    async def respond(request: Request) -> Response:
        content = await _parse_body(request) if has_body else None
        sent = {name for name, _ in request.scope["headers"]} if has_headers else ()
        results: dict[int, Any] = {}
        errors: list[Any] = []
        deferred: list[tuple[int, dict[str, Any]]] = []  # synchronous functions, which run in the pool
        for index, function in enumerate(functions):
            values, invalid = function.arguments(request, content, sent)
            if invalid:
                errors += invalid
            elif not function.is_async:
                deferred.append((index, values))
            elif function is not endpoint and function.can_be_called(results):
                results[index] = await function.run(values, results)
        validation_error = RequestValidationError(errors, body=None if content == b"" else content)
        if errors and (synchronous <= 1 or not deferred):
            raise validation_error
        if endpoint.is_async:
            response: Response = await endpoint.run(values, results)
            return response

        def run_deferred() -> Response:
            for index, arguments in deferred:
                function = functions[index]
                if function is not endpoint and function.can_be_called(results):
                    results[index] = function.run(arguments, results)
            if errors:
                raise validation_error
            response: Response = endpoint.run(values, results)
            return response

        values |= {name: results[index] for name, index in endpoint.results if name is not None and index in results}
        pool = pool_for(request.method, () if errors else choosers, values)
        pooled: Response = await run_in_pool(request, pool, run_deferred)
        return pooled

    return respond


def _add(
    dependant: Dependant, functions: list[_Function], indexes: dict[Any, int], *, is_endpoint: bool = False
) -> int:
    """Add a function after its dependencies, unless it was added before; return its index."""
    call: Any = dependant.call
    if is_endpoint:
        call = getattr(call, "__wrapped__", call)  # ``PooledRoute`` wraps endpoints
    if call in indexes:  # FastAPI would report errors in its parameters twice
        _require(not (dependant.path_params or dependant.query_params or dependant.header_params))
        return indexes[call]
    _require(isfunction(call), not hasattr(call, "__wrapped__"), iscoroutinefunction(call) or is_synchronous(call))
    _require(_has_only_supported_fields(dependant))
    _require(is_endpoint or not (dependant.body_params or dependant.scope))
    results = [(each.name, _add(each, functions, indexes)) for each in dependant.dependencies]
    query = next(iter(dependant.query_params), None)
    _require(len(dependant.query_params) < 2, query is None or _is_flat_model(query))
    body = next(iter(dependant.body_params), None)
    _require(len(dependant.body_params) < 2, body is None or type(body.field_info) is Body)
    _require(body is None or body.field_info.is_required())
    headers = dependant.header_params
    _require(all(_is_optional_header(each) for each in headers))
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
    indexes[call] = len(functions) - 1
    return indexes[call]


_UNSUPPORTED = (
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


def _has_only_supported_fields(dependant: Dependant) -> bool:
    known = {"path_params", "query_params", "header_params", "body_params", "dependencies", "name", "call"}
    known |= {"request_param_name", "use_cache", "path", "scope", *_UNSUPPORTED}
    return (
        {each.name for each in fields(dependant)} == known  # a newer FastAPI may have more
        and dependant.use_cache
        and not any(getattr(dependant, name) for name in _UNSUPPORTED)
    )


def _is_flat_model(query: Any) -> bool:
    """Whether this is a model with only single values, without aliases."""
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


def _is_optional_header(header: Any) -> bool:
    """Whether this is a header with None as its default, and not a model of headers."""
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


def _parse_query(request: Request, field: Any) -> tuple[Any, list[Any]]:
    """The query as an instance of this model, and the validation errors."""
    text = request.scope["query_string"].decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True) if text else []
    values = dict(pairs)
    if len(values) < len(pairs):
        parsed, errors = request_params_to_args([field], request.query_params)
        return parsed.get(field.name), errors
    value, errors = field.validate(values, loc=("query",))
    return value, errors


async def _parse_body(request: Request) -> Any:
    """The parsed body, or the body itself if its media type is not JSON."""
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
    except Exception as error:  # as FastAPI does: not UTF-8, nested too deeply, and so on
        raise HTTPException(400, "There was an error parsing the body") from error
