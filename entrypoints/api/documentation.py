"""What ``/openapi.json`` says beyond what FastAPI finds out by itself."""

from typing import Any

from fastapi import APIRouter, FastAPI

from entrypoints.api.problems import MEDIA_TYPE, RETRY_AFTER, InvalidRequest, Problem
from service_layer.read_models import ID_MAX

Responses = dict[int | str, dict[str, Any]]

_MEANINGS = {
    400: "The address is taken, or the body cannot be read",
    404: "There is no such thing",
    413: "The body is larger than 1 MiB",
    422: "Something in the request is not valid; `errors` says what",
    500: "Something went wrong on our side",
    503: "The database is not available; try again after `Retry-After` seconds",
}

CREATED: Responses = {
    200: {"headers": {"Location": {"description": "Where it can be read.", "schema": {"type": "string"}}}}
}
LISTED: Responses = {
    200: {
        "headers": {
            "Link": {
                "description": 'The next page, as `<…>; rel="next"`, while there is one.',
                "schema": {"type": "string"},
            }
        }
    }
}


def problems(*statuses: int) -> Responses:
    """The problems that an endpoint can answer with."""
    return {
        status: {"model": InvalidRequest if status == 422 else Problem, "description": _MEANINGS[status]}
        for status in statuses
    }


def router_for(name: str) -> APIRouter:
    """A router for the paths under ``/name``, in whose documentation an operation is called as its function is."""
    return APIRouter(
        prefix=f"/{name}",
        tags=[name],
        responses=problems(500, 503),
        generate_unique_id_function=lambda route: route.name,
    )


def document(app: FastAPI, *, password_min_length: int) -> None:
    """Give problems their media type, and put settings where the schema shows them."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            _make_bounds_exact(schema)
            for path in schema["paths"].values():
                for operation in path.values():
                    _mark_problems(operation["responses"])
            password = schema["components"]["schemas"]["UserCreate"]["properties"]["password"]
            password["minLength"] = password_min_length
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the schema


def _make_bounds_exact(part: Any) -> None:
    """FastAPI publishes the bounds of whole numbers as floats, which cannot hold the greatest id."""
    if isinstance(part, dict):
        if part.get("type") == "integer":
            part.update({key: min(int(part[key]), ID_MAX) for key in ("minimum", "maximum") if key in part})
        part = part.values()
    if not isinstance(part, str | int | float | None):
        for each in part:
            _make_bounds_exact(each)


def _mark_problems(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        if status >= "400":
            response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
        if status == "503":
            retry = {"description": "Seconds to wait.", "schema": {"type": "string", "example": RETRY_AFTER}}
            response["headers"] = {"Retry-After": retry}
