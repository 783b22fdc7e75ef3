"""Parts of ``/openapi.json`` that FastAPI does not generate.

Routers declare the problems that their use cases raise. Those that follow from the method and the parameters of an
operation are added here.
"""

from http.client import responses as http_phrases
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from domain.errors import BelongingsError, InvalidValue
from entrypoints.api.http.idempotency import HEADER
from entrypoints.api.http.openapi import PROBLEMS, UNNAMED, Responses, header, responses_with
from entrypoints.api.http.problems import (
    MEDIA_TYPE,
    RETRY_AFTER,
    RETRYABLE,
    InvalidRequest,
    Problem,
    problem_example,
    status_of,
)
from service_layer.errors import IdempotencyKeyInUse, IdempotencyKeyReused, OutcomeUnknown
from service_layer.read_models import ID_MAX

_MERGE_PATCH = "application/merge-patch+json"
"""What a PATCH is (RFC 7396)."""

_REQUEST_ID = {
    "X-Request-ID": header("The id of the request, which is also in the log.", example="8b1a9953c4611296a827abf8")
}
_LATER = {"Retry-After": header("Seconds to wait before a retry.", example=RETRY_AFTER)}

_MEANINGS = {
    400: "The body cannot be read",
    403: "A browser sent the request for a page of another origin that is not allowed",
    408: "The body did not arrive in time",
    413: "The body is larger than 1 MiB",
    415: "The body has a `Content-Encoding`; send it without one",
    421: "The host name in `Host` is not served here",
    429: "Too many sign-ups or password changes from your address; retry after `Retry-After` seconds",
    431: "There are more than 100 headers, or they are larger than 64 KiB",
    500: "Internal error",
    503: "Too many requests at once, nothing was changed; retry after `Retry-After` seconds",
    "changed-meanwhile": "the resource does not match `If-Match`, or matches `If-None-Match`; read it again and retry",
    "database-unavailable": "the database is unavailable or too slow, nothing was changed; retry after `Retry-After` "
    "seconds",
    "email-taken": "another user has this email address",
    "idempotency-key-in-use": "a request with this `Idempotency-Key` is in progress; retry after `Retry-After` seconds",
    "idempotency-key-reused": "this `Idempotency-Key` was used for another request",
    "invalid-request": "the request is not valid; `errors` says where and why",
    "outcome-unknown": "the change may or may not have been made; retry with the same `Idempotency-Key`, or look",
    "schema-mismatch": "the operator must migrate the database",
    "storage-full": "the database is full, nothing was changed; the operator must make room",
}
"""What each problem type means; for ``about:blank``, what the status means."""


def customize_openapi(app: FastAPI, *, password_min_length: int) -> None:
    """Complete the document that FastAPI generates for this application."""
    generate = app.openapi
    completed: dict[str, Any] | None = None

    def openapi() -> dict[str, Any]:
        nonlocal completed
        schema = generate()  # a new one after routes were added
        if schema is not completed:
            _complete(schema)
            for kind in ("UserCreate", "UserUpdate"):
                password = schema["components"]["schemas"][kind]["properties"]["password"]
                password["minLength"] = password_min_length
            completed = schema
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the schema


def _complete(schema: dict[str, Any]) -> None:
    _, models = models_json_schema(
        [(Problem, "serialization"), (InvalidRequest, "serialization")], ref_template="#/components/schemas/{model}"
    )
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    components |= models["$defs"]
    tags: dict[str, Any] = {tag["name"]: tag for tag in schema.get("tags", [])}
    schema.setdefault("security", [])  # none, unless an operation declares it
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            _complete_operation(path, method, operation)
            tags |= {
                tag: {"name": tag, "description": f"{tag.capitalize()}."} | tags.get(tag, {})
                for tag in operation.get("tags", [])
            }
    schema["tags"] = list(tags.values())
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    _complete_integers(schema)


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):  # replaced by a problem
        del responses["422"]
    for status, added in _common(path, method, operation).items():
        response = responses.setdefault(str(status), added)
        if response is not added and (PROBLEMS in response or "content" not in response):
            response[PROBLEMS] = [*response.get(PROBLEMS, []), *added[PROBLEMS]]
    for status, response in responses.items():
        if PROBLEMS in response:
            _describe_problems(int(status), response)
        response["headers"] = response.get("headers", {}) | _REQUEST_ID
    operation["responses"] = dict(sorted(responses.items()))
    for parameter in operation.get("parameters", []):
        _remove_null(parameter["schema"])
    content = operation.get("requestBody", {}).get("content", {})
    if method == "patch" and "application/json" in content:
        content[_MERGE_PATCH] = content["application/json"]


def _common(path: str, method: str, operation: dict[str, Any]) -> Responses:
    """The problems that do not depend on the use case of an operation."""
    parameters = operation.get("parameters", [])
    errors: list[type[BelongingsError]] = []
    statuses = [431, 500] if path.startswith("/health/") else [421, 431, 500, 503]
    if method != "get":
        statuses.append(403)
        if PROBLEMS in operation["responses"].get("507", {}):
            errors.append(OutcomeUnknown)
    if parameters or "requestBody" in operation:
        errors.append(InvalidValue)
    if "requestBody" in operation:
        statuses += [400, 408, 413, 415]
    if any(parameter["name"] == HEADER for parameter in parameters):
        errors += [IdempotencyKeyInUse, IdempotencyKeyReused]
    return responses_with([*map(status_of, errors), *((status, UNNAMED) for status in statuses)])


def _describe_problems(status: int, response: dict[str, Any]) -> None:
    """Complete a response with these problem types: description, content and ``Retry-After``."""
    examples = {name: problem_example(status, name) for name in dict.fromkeys(response.pop(PROBLEMS))}
    if response["description"] in ("", http_phrases[status]):
        parts = [_meaning(status, name, example["detail"]) for name, example in examples.items()]
        response["description"] = ". ".join(parts)
    model = InvalidRequest if status == status_of(InvalidValue)[0] else Problem
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    named = {name: {"value": value} for name, value in examples.items()}
    response["content"] = {MEDIA_TYPE: {"schema": schema, "examples": named}}
    if status in RETRYABLE:
        response["headers"] = _LATER | response.get("headers", {})


def _meaning(status: int, name: str, detail: str) -> str:
    return _MEANINGS[status] if name == UNNAMED else f"`{name}`: {_MEANINGS.get(name, detail)}"


def _remove_null(schema: dict[str, Any]) -> None:
    """Remove null from the schema of an optional parameter: it can be left out, but not be null."""
    schema.pop("title", None)
    schema.pop("description", None)  # the parameter has it
    choices = [each for each in schema.pop("anyOf", []) if each != {"type": "null"}]
    schema |= choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {}
    if schema.get("default", ...) is None:
        del schema["default"]


def _complete_integers(part: Any) -> None:
    """Add the format of bounded integers. Make the bounds integers: FastAPI's floats cannot hold the greatest id."""
    if isinstance(part, dict):
        if part.get("type") == "integer":
            bounds = {key: int(part[key]) for key in ("minimum", "maximum") if key in part}
            part.update({key: max(-ID_MAX, min(bound, ID_MAX)) for key, bound in bounds.items()})
            if "maximum" in part:
                is_short = all(-(2**31) <= bound < 2**31 for bound in bounds.values())
                part.setdefault("format", "int32" if is_short else "int64")
        part = part.values()
    if not isinstance(part, str | int | float | None):
        for each in part:
            _complete_integers(each)
