"""Every error as a problem (RFC 9457, ``application/problem+json``), and which HTTP status it has."""

import logging
import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Match
from typing_extensions import TypeAliasType

from domain.errors import AlreadyTaken, BelongingsError, EmailTaken, InvalidValue, NotFound, StaleVersion
from entrypoints.logging import request_id
from service_layer.errors import (
    BatchRejected,
    Busy,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    OutcomeUnknown,
    SchemaMismatch,
    StorageFull,
    StorageUnavailable,
)

_RFC_9110 = {413: "Content Too Large", 422: "Unprocessable Content"}
"""Reason phrases of RFC 9110 that Python has only from 3.13."""

ERRORS_MAX = 100
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "1"
PREFIX = "urn:problem-type:belongings:"

RETRYABLE = (409, 429, 503)
"""Statuses that have ``Retry-After``, except for ``AlreadyTaken``."""

_INVALID = "The request is not valid"
_NOT_JSON = {"loc": ["body"], "msg": "Send JSON, with Content-Type: application/json", "type": "json_type"}

logger = logging.getLogger("belongings")

_STATUSES: dict[type[BelongingsError], tuple[int, str]] = {
    NotFound: (404, ""),
    AlreadyTaken: (409, ""),
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
"""By error or base class of errors: the status, and the name of the problem type, by default the error's own name."""


def problem_errors() -> dict[tuple[int, str], type[BelongingsError]]:
    """The error of each status and problem type. Aggregates may have added some since this module was imported."""
    named = [error for error, (_, name) in _STATUSES.items() if name]
    errors = [*NotFound.__subclasses__(), *AlreadyTaken.__subclasses__(), *named]
    return {status_of(error): error for error in errors}


def problem_types() -> set[str]:
    """All values of ``type``. ``about:blank`` means that the status is the whole meaning (RFC 9457 §4.2.1)."""
    return {"about:blank", *(f"{PREFIX}{name}" for _, name in problem_errors())}


class _KnownTypes:
    def __get_pydantic_json_schema__(self, *_: object) -> dict[str, Any]:
        return {"type": "string", "enum": sorted(problem_types()), "description": "Types of this version."}


KnownProblemType = TypeAliasType("KnownProblemType", Annotated[str, _KnownTypes()])

ProblemType = TypeAliasType(
    "ProblemType",
    Annotated[
        KnownProblemType | Annotated[str, Field(json_schema_extra={"format": "uri"})],
        Field(description="The type of error. Later versions may add types; handle unknown ones by `status`."),
    ],
)
"""An enum in OpenAPI that later versions can extend: generated clients accept unknown types."""


def status_of(error: type[BelongingsError]) -> tuple[int, str]:
    """The status of an error, and the name of its problem type."""
    status, name = next(_STATUSES[kind] for kind in error.__mro__ if kind in _STATUSES)
    return status, name or re.sub("(?<!^)(?=[A-Z])", "-", error.__name__).lower()


def problem_example(status: int, name: str) -> dict[str, Any]:
    """An example of a problem of this type, for OpenAPI."""
    error = problem_errors().get((status, name))
    invalid = {"errors": [{"loc": ["body", "title"], "msg": "Field required", "type": "missing"}]}
    return {
        "type": f"{PREFIX}{name}" if error else name,
        "title": _title(status),
        "status": status,
        "detail": _INVALID if error is InvalidValue else error.message if error else _title(status),
        "request_id": "8b1a9953c4611296a827abf8",
        **(invalid if status == _STATUSES[InvalidValue][0] else {}),
    }


class InvalidPart(BaseModel):
    """One error in a request."""

    loc: Annotated[list[str | int], Field(description="Where the error is: `body`, `query`, `path` or `header` first.")]
    msg: Annotated[str, Field(description="An explanation for people; it may change.")]
    type: Annotated[str, Field(description="The kind of error, as pydantic names it.")]


class Problem(BaseModel):
    """An error (RFC 9457). It never contains values that the client sent."""

    type: ProblemType
    title: Annotated[str, Field(description="The status in words.")]
    status: Annotated[int, Field(ge=400, le=599)]
    detail: Annotated[str, Field(description="An explanation for people; it may change.")]
    request_id: Annotated[
        str, Field(description="The `X-Request-ID` of this response; the operator can find it in the log.")
    ]


class InvalidRequest(Problem):
    """A request that is not valid, with all errors in it."""

    errors: list[InvalidPart]


def add_problem_handlers(app: FastAPI) -> None:
    """Add exception handlers that respond with problems. For other exceptions, see ``internal_server_error``."""
    app.add_exception_handler(BelongingsError, _domain_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


def problem(status: int, detail: str, type: str | None = None, headers: Any = None, **more: Any) -> Response:
    """A response with a problem; its type is ``about:blank`` unless one is given."""
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
    """The 422 for a request with these errors, of which it has the first ``ERRORS_MAX``."""
    return problem(422, _INVALID, "invalid-request", errors=errors[:ERRORS_MAX])


async def _domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, BelongingsError)
    if isinstance(error, InvalidValue):
        return invalid([_invalid_part(error)])
    if isinstance(error, BatchRejected):
        return invalid([_invalid_part(each, index) for index, each in error.errors.items()])
    status, type = status_of(error.__class__)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        level = logging.WARNING if isinstance(error, Busy) else logging.ERROR
        logger.log(level, "%s: %s", error, getattr(error, "reason", type))
    if isinstance(error, IdempotencyKeyReused):
        part = {"loc": ["header", "Idempotency-Key"], "msg": str(error), "type": "idempotency_key"}
        return problem(status, str(error), type, errors=[part])
    retryable = status in RETRYABLE and not isinstance(error, AlreadyTaken)
    return problem(status, str(error), type, {"Retry-After": RETRY_AFTER} if retryable else None)


def _invalid_part(error: BelongingsError, *index: int) -> dict[str, Any]:
    """The entry in ``errors`` for an error in the body, or in the element of it with this index."""
    if isinstance(error, InvalidValue):
        return {"loc": ["body", *index, error.field], "msg": error.reason, "type": "value_error"}
    return {"loc": ["body", *index, "owner_id"], "msg": str(error), "type": "user_not_found"}


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    parts = list(_parts(error.errors()))
    if isinstance(error.body, bytes):  # FastAPI does not parse it without a JSON media type
        parts = [_NOT_JSON if part["loc"] == ("body",) else part for part in parts]
    return invalid(parts)


def _parts(errors: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The entries in ``errors``; one for each query parameter, as pydantic has one for each member of a union."""
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
    if error.status_code == 405 and request.method == "OPTIONS":  # no route declares it
        return Response(status_code=204, headers=headers)
    return problem(error.status_code, error.detail, headers=headers)


def _allowed(request: Request) -> str:
    """The ``Allow`` header for this path; Starlette has only the methods of the first route that matches."""
    routes = iter_route_contexts(request.app.routes)
    partial = [route.methods or () for route in routes if route.matches(request.scope)[0] is Match.PARTIAL]
    methods = {method for some in partial for method in some} or {"GET"}  # static files
    return ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
