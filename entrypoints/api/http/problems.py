"""The one table that knows HTTP: every error as a problem (RFC 9457, ``application/problem+json``)."""

import logging
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field, WithJsonSchema
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Match

from domain.errors import BelongingsError, EmailTaken, InvalidValue, ItemNotFound, StaleVersion, UserNotFound
from entrypoints.logging import request_id
from service_layer.errors import (
    BatchRejected,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    OutcomeUnknown,
    SchemaMismatch,
    StorageFull,
    StorageUnavailable,
)

_RFC_9110 = {413: "Content Too Large", 422: "Unprocessable Content"}
"""The phrases that Python says differently before 3.13."""

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "1"
PREFIX = "urn:problem-type:belongings:"

WORTH_ANOTHER_TRY = (409, 429, 503)
"""Statuses that say in ``Retry-After`` when to come again."""

_INVALID = "The request is not valid"
_NO_JSON = {"loc": ["body"], "msg": "Send JSON, with Content-Type: application/json", "type": "json_type"}

logger = logging.getLogger("belongings")

_DOMAIN: dict[type[BelongingsError], tuple[int, str]] = {
    UserNotFound: (404, "user-not-found"),
    ItemNotFound: (404, "item-not-found"),
    EmailTaken: (400, "email-taken"),
    InvalidValue: (422, "invalid-request"),
    StaleVersion: (412, "changed-meanwhile"),
    IdempotencyKeyReused: (422, "idempotency-key-reused"),
    IdempotencyKeyInUse: (409, "idempotency-key-in-use"),
    StorageUnavailable: (503, "database-unavailable"),
    OutcomeUnknown: (503, "outcome-unknown"),
    StorageFull: (507, "storage-full"),
    SchemaMismatch: (503, "schema-mismatch"),
}


TYPES = {"about:blank", *(f"{PREFIX}{name}" for _, name in _DOMAIN.values())}
"""All that ``type`` can be: without one of ours, the status says it all."""


def status_of(error: type[BelongingsError]) -> tuple[int, str]:
    """The status of an error, and the name of its type."""
    return next(_DOMAIN[kind] for kind in error.__mro__ if kind in _DOMAIN)


def problem_example(status: int, name: str) -> dict[str, Any]:
    """A problem of this type, as documentation shows it."""
    error = next((kind for kind, known in _DOMAIN.items() if known == (status, name)), None)
    invalid = {"errors": [{"loc": ["body", "title"], "msg": "Field required", "type": "missing"}]}
    return {
        "type": f"{PREFIX}{name}" if error else name,
        "title": _title(status),
        "status": status,
        "detail": _INVALID if error is InvalidValue else error.message if error else _title(status),
        "request_id": "8b1a9953c4611296a827abf8",
        **(invalid if status == _DOMAIN[InvalidValue][0] else {}),
    }


class InvalidPart(BaseModel):
    """One thing that is wrong with a request."""

    loc: list[str | int]
    msg: str
    type: str


class Problem(BaseModel):
    """What went wrong (RFC 9457). It never repeats a value that was sent."""

    type: Annotated[str, WithJsonSchema({"type": "string", "enum": sorted(TYPES)})]
    title: str
    status: int
    detail: str
    request_id: Annotated[
        str, Field(description="The `X-Request-ID` of this answer; by it the operator finds the log.")
    ]


class InvalidRequest(Problem):
    """What is wrong with the request, part by part."""

    errors: list[InvalidPart]


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error that was foreseen with a problem; ``EveryRequest`` answers the others."""
    app.add_exception_handler(BelongingsError, _domain_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


def problem(status: int, detail: str, type: str | None = None, headers: Any = None, **more: Any) -> Response:
    """The answer to this request with a problem in it; without a ``type`` of its own, the status says it all."""
    content = {
        "type": f"{PREFIX}{type}" if type else "about:blank",
        "title": _title(status),
        "status": status,
        "detail": detail,
        "request_id": request_id.get(),
        **more,
    }
    return Response(to_json(content), status, headers, MEDIA_TYPE)


def _title(status: int) -> str:
    """The reason phrase of a status; empty for one that has none."""
    return _RFC_9110.get(status) or (HTTPStatus(status).phrase if status in set(HTTPStatus) else "")


def invalid(errors: list[dict[str, Any]]) -> Response:
    """The 422 for a request with these parts wrong."""
    return problem(422, _INVALID, "invalid-request", errors=errors)


async def _domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, BelongingsError)
    if isinstance(error, InvalidValue):
        return invalid([_invalid_part(error)])
    if isinstance(error, BatchRejected):
        return invalid([_invalid_part(each, place) for place, each in error.errors.items()])
    status, type = status_of(error.__class__)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s: %s", error, getattr(error, "reason", type))
    if isinstance(error, IdempotencyKeyReused):
        part = {"loc": ["header", "Idempotency-Key"], "msg": str(error), "type": "idempotency_key"}
        return problem(status, str(error), type, errors=[part])
    return problem(status, str(error), type, {"Retry-After": RETRY_AFTER} if status in WORTH_ANOTHER_TRY else None)


def _invalid_part(error: BelongingsError, *place: int) -> dict[str, Any]:
    """What is wrong with a body, or with the thing at this place in it."""
    if isinstance(error, InvalidValue):
        return {"loc": ["body", *place, error.field], "msg": error.reason, "type": "value_error"}
    return {"loc": ["body", *place, "owner_id"], "msg": str(error), "type": "user_not_found"}


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    parts = list(_parts(error.errors()))
    if isinstance(error.body, bytes):  # which FastAPI leaves as it came if it is not announced as JSON
        parts = [_NO_JSON if part["loc"] == ("body",) else part for part in parts]
    return invalid(parts)


def _parts(errors: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """What is wrong; with a parameter of the query the first thing only, as it may be one thing or another."""
    seen = set()
    for each in errors:
        loc = each["loc"]
        if loc[0] == "query":
            loc = ("query", *(loc[1:2] or [each["ctx"]["parameter"]] if each.get("ctx") else loc[1:2]))
            if loc in seen:
                continue
            seen.add(loc)
        yield {"loc": loc, "msg": each["msg"], "type": each["type"]}


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    if error.status_code == 405 and request.method == "OPTIONS":  # for which no route has to be declared
        return Response(status_code=204, headers=headers)
    return problem(error.status_code, error.detail, headers=headers)


def _allowed(request: Request) -> str:
    """All methods of this path; the router names those of the first route only."""
    routes = iter_route_contexts(request.app.routes)
    partial = [route.methods or () for route in routes if route.matches(request.scope)[0] is Match.PARTIAL]
    methods = {method for some in partial for method in some} or {"GET"}  # a folder of files
    return ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
