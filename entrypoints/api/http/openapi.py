"""What ``/openapi.json`` says beyond what FastAPI finds out by itself.

Routers declare the problems that a use case raises. Those that any operation can have, by its method and its
parameters, are added here.
"""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from domain.errors import BelongingsError, InvalidValue
from entrypoints.api.http.problems import (
    MEDIA_TYPE,
    RETRY_AFTER,
    RETRYABLE,
    InvalidRequest,
    Problem,
    problem_example,
    status_of,
)
from service_layer.errors import (
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    OutcomeUnknown,
    SchemaMismatch,
    StorageFull,
    StorageUnavailable,
)
from service_layer.read_models import ID_MAX

Responses = dict[int | str, dict[str, Any]]

_MERGE_PATCH = "application/merge-patch+json"
"""The media type of what our PATCH does (RFC 7396)."""

_PROBLEMS = "x-problems"
"""The names of the problem types that a response can have, until ``document`` writes them as examples."""

_UNNAMED = "about:blank"

_MEANINGS = {
    400: "The address is taken, or the body cannot be read",
    403: "A browser sent the request for a page of another origin, which is not allowed to",
    404: "Not found",
    408: "The body did not arrive in time",
    409: "A request with this `Idempotency-Key` is in progress; try again after `Retry-After` seconds",
    412: "The resource is not as `If-Match` or `If-None-Match` requires: read it again and retry",
    413: "The body is larger than 1 MiB",
    415: "The body has a `Content-Encoding`; send it without one",
    421: "The name in `Host` is not served here",
    422: "The request is not valid; `errors` says where and why",
    429: "Too many sign-ups or password changes from your address; try again after `Retry-After` seconds",
    500: "Internal error",
    503: "There are too many requests at once, or the database is unavailable or too slow; `type` says whether "
    "something may have been changed. Try again after `Retry-After` seconds",
    507: "The database has no room left, and nothing was changed; the operator must make room first",
}


def _header(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", **schema}}


TAG = {"ETag": _header("Changes whenever the representation does.", example='"9f86d081884c7d659a2feaa0"')}
_REQUEST_ID = {"X-Request-ID": _header("The id of the request, as in the log.", example="8b1a9953c4611296a827abf8")}
_LATER = {"Retry-After": _header("Seconds to wait.", example=RETRY_AFTER)}
QUOTA = {
    "RateLimit-Policy": _header(
        "How many sign-ups and password changes your address has in how many seconds, where they are limited.",
        example='"sign-ups";q=10;w=3600',
    ),
    "RateLimit": _header(
        "How many of them are left, and in how many seconds the limit starts again.", example='"sign-ups";r=9;t=3600'
    ),
}

TAGGED: Responses = {200: {"headers": TAG}}
"""A resource with its entity tag."""

CONDITIONAL: Responses = TAGGED | {304: {"description": "Still the one in your `If-None-Match`", "headers": TAG}}
"""A resource that is sent only if the client does not have it."""

PAGE: Responses = {
    200: {
        "headers": {
            "Link": _header('The next page, as `<…>; rel="next"`, if there is one.'),
            "X-Total-Count": _header("The number of rows on all pages, if you ask for it."),
            "Preference-Applied": _header("`count=exact`, if the rows were counted."),
        }
    }
}
"""A page of a list."""


def created(kind: str, **headers: Any) -> Responses:
    """A new resource, ``user`` or ``item``, with its address, and what can be done with its id."""
    id = {f"{kind}_id": "$response.body#/id"}
    names = [f"{verb}_{kind}" for verb in ("read", "update", "delete")]
    links = {name: {"operationId": name, "parameters": id} for name in names}
    return {200: {"headers": {"Location": _header("Its address.")} | TAG | headers, "links": links}}


def problems(*errors: type[BelongingsError]) -> Responses:
    """The responses for these errors of a use case."""
    responses: Responses = {}
    for status, name in map(status_of, errors):
        responses.setdefault(status, {"description": _MEANINGS[status], _PROBLEMS: []})[_PROBLEMS].append(name)
    return responses


TOO_MANY_REQUESTS: Responses = {429: {"description": _MEANINGS[429], _PROBLEMS: [_UNNAMED], "headers": QUOTA}}


def operation_id(route: APIRoute) -> str:
    """The name of an operation: that of its function."""
    return route.name


def document(app: FastAPI, *, password_min_length: int) -> None:
    """Complete the document that FastAPI generates for this application."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            _complete(schema)
            for kind in ("UserCreate", "UserUpdate"):
                password = schema["components"]["schemas"][kind]["properties"]["password"]
                password["minLength"] = password_min_length
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the schema


def _complete(schema: dict[str, Any]) -> None:
    _, models = models_json_schema(
        [(Problem, "serialization"), (InvalidRequest, "serialization")], ref_template="#/components/schemas/{model}"
    )
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    components |= models["$defs"]
    for methods in schema["paths"].values():
        for method, operation in methods.items():
            _complete_operation(method, operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    _make_bounds_exact(schema)


def _complete_operation(method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):  # which is never the answer here
        del responses["422"]
    for status, added in _common(method, operation).items():
        names = added.pop(_PROBLEMS)
        response = responses.setdefault(str(status), added)
        if _PROBLEMS in response or "content" not in response:
            response[_PROBLEMS] = list(dict.fromkeys([*response.get(_PROBLEMS, []), *names]))
    for status, response in responses.items():
        if _PROBLEMS in response:
            response["content"] = _content(int(status), response.pop(_PROBLEMS))
            if int(status) in RETRYABLE:
                response["headers"] = _LATER | response.get("headers", {})
        response["headers"] = response.get("headers", {}) | _REQUEST_ID
    operation["responses"] = dict(sorted(responses.items()))
    for parameter in operation.get("parameters", []):
        _leave_out_null(parameter["schema"])
    content = operation.get("requestBody", {}).get("content", {})
    if method == "patch" and "application/json" in content:
        content[_MERGE_PATCH] = content["application/json"]


def _common(method: str, operation: dict[str, Any]) -> Responses:
    """The problems that an operation can have whatever its use case is."""
    parameters = operation.get("parameters", [])
    errors: list[type[BelongingsError]] = [StorageUnavailable, SchemaMismatch, StorageFull]
    unnamed = [421, 500, 503]
    if method != "get":
        errors.append(OutcomeUnknown)
        unnamed.append(403)
    if parameters or "requestBody" in operation:
        errors.append(InvalidValue)
    if "requestBody" in operation:
        unnamed += [400, 408, 413, 415]
    if any(parameter["name"] == "Idempotency-Key" for parameter in parameters):
        errors += [IdempotencyKeyInUse, IdempotencyKeyReused]
    found = problems(*errors)
    for status in unnamed:
        found.setdefault(status, {"description": _MEANINGS[status], _PROBLEMS: []})[_PROBLEMS].append(_UNNAMED)
    return found


def _content(status: int, names: Iterable[str]) -> dict[str, Any]:
    model = InvalidRequest if status == status_of(InvalidValue)[0] else Problem
    examples = {name: {"value": problem_example(status, name)} for name in names}
    return {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}, "examples": examples}}


def _leave_out_null(schema: dict[str, Any]) -> None:
    """A parameter that is left out is not null."""
    schema.pop("title", None)
    schema.pop("description", None)  # it is the parameter's already
    choices = [each for each in schema.pop("anyOf", []) if each != {"type": "null"}]
    schema |= choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {}
    if schema.get("default", ...) is None:
        del schema["default"]


def _make_bounds_exact(part: Any) -> None:
    """FastAPI publishes the bounds of whole numbers as floats, which cannot hold the greatest id."""
    if isinstance(part, dict):
        if part.get("type") == "integer":
            part.update({key: min(int(part[key]), ID_MAX) for key in ("minimum", "maximum") if key in part})
        part = part.values()
    if not isinstance(part, str | int | float | None):
        for each in part:
            _make_bounds_exact(each)
