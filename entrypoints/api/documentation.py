"""What ``/openapi.json`` says beyond what FastAPI finds out by itself."""

from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from entrypoints.api.problems import MEDIA_TYPE, RETRY_AFTER, WORTH_ANOTHER_TRY, InvalidRequest, Problem
from entrypoints.api.routes import DirectRoute
from service_layer.read_models import ID_MAX

KEY_PATTERN = r'^(?:[!#-~][!-~]{0,254}|"(?:[ !#-\[\]-~]|\\["\\]){1,255}")$'
"""What an ``Idempotency-Key`` may be: visible ASCII as it stands, or a String in quotes (RFC 9651 §3.3.3)."""

_MERGE_PATCH = "application/merge-patch+json"
"""What our PATCH does has a media type of its own (RFC 7396)."""

Responses = dict[int | str, dict[str, Any]]

_MEANINGS = {
    400: "The address is taken, or the body cannot be read",
    403: "A browser sent it for a page of another origin that may not call",
    404: "There is no such thing",
    408: "The body did not come to its end in time",
    409: "A request with this `Idempotency-Key` is being answered; try again after `Retry-After` seconds",
    412: "It is not, or not any more, as `If-Match` or `If-None-Match` says: read it again, and decide anew",
    413: "The body is larger than 1 MiB",
    415: "The body has a `Content-Encoding`; send it without one",
    421: "The name in `Host` is not served here",
    422: "Something in the request is not valid; `errors` says what",
    429: "Too many sign-ups or password changes from your address; try again after `Retry-After` seconds",
    500: "Something went wrong on our side",
    503: "There are too many requests at once, or the database is not available or was not in time; `type` says "
    "whether something may have been changed. Try again after `Retry-After` seconds",
    507: "The database has no room left, and nothing was changed; somebody must make room first",
}


def _header(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", **schema}}


_TAG = {"ETag": _header("Another one whenever the answer is another one.", example='"9f86d081884c7d659a2feaa0"')}
_LOCATION = {"Location": _header("Where it can be read.")}
_QUOTA = {
    "RateLimit-Policy": _header(
        "How many sign-ups and password changes your address has in how many seconds, where they are limited.",
        example='"sign-ups";q=10;w=3600',
    ),
    "RateLimit": _header(
        "How many of them are left, and in how many seconds all are there again.", example='"sign-ups";r=9;t=3600'
    ),
}
_VERBS = ("read", "change", "remove")

_SHOWN: Responses = {
    200: {"headers": _TAG},
    304: {"description": "It is still as your `If-None-Match` says", "headers": _TAG},
}
_LISTED: Responses = {
    200: {
        "headers": {
            "Link": _header('The next page, as `<…>; rel="next"`, while there is one.'),
            "X-Total-Count": _header("How many there are on all pages, if you ask for it."),
            "Preference-Applied": _header("`count=exact`, if it was counted."),
        }
    }
}


def _request_header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "header", **_header(description, **schema)}


_IF_MATCH = _request_header("If-Match", "The `ETag` of what you saw: 412 if it is another one by now.")
_IF_NONE_MATCH = _request_header("If-None-Match", "An `ETag` that it should not have: 412 if it has.")


def lists(query: type[BaseModel], *more: int) -> dict[str, Any]:
    """Of a list, with all that its query may have."""
    properties = query.model_json_schema()["properties"]
    return _documented(
        _LISTED | problems(422, *more),
        *({"name": name, "in": "query", **_described(schema)} for name, schema in properties.items()),
        _request_header("Prefer", "`count=exact` asks for `X-Total-Count`. It takes as long as reading them all."),
    )


def shows() -> dict[str, Any]:
    """Of reading one thing by its id."""
    known = _request_header("If-None-Match", "An `ETag` that you have: 304 while it is the same.")
    return _documented(_SHOWN | problems(404, 412, 422), _IF_MATCH, known)


def changes(*more: int) -> dict[str, Any]:
    """Of changing one thing by its id."""
    made: Responses = {200: {"headers": _TAG | (_QUOTA if 429 in more else {})}}
    return _documented(made | problems(400, 403, 404, 408, 412, 413, 415, 422, *more), _IF_MATCH, _IF_NONE_MATCH)


def removes() -> dict[str, Any]:
    """Of removing one thing by its id."""
    return _documented(problems(403, 404, 412, 422), _IF_MATCH, _IF_NONE_MATCH)


def creates(kind: str | None, *more: int) -> dict[str, Any]:
    """Of making something that has an address: ``user`` or ``item``; None where it has none."""
    headers = _LOCATION | _TAG | (_QUOTA if 429 in more else {})
    made: Responses = {200: {"headers": headers, "links": _links(kind)}} if kind else {}
    what = (
        "Your name for this request, such as a UUID. Send it again under the same name, and for 24 hours you get the "
        "first answer again, and nothing is done twice. Quotes around it are no part of it."
    )
    key = _request_header("Idempotency-Key", what, pattern=KEY_PATTERN)
    return _documented(made | problems(400, 403, 408, 409, 413, 415, 422, *more), key)


def _links(kind: str) -> dict[str, Any]:
    """What can be done with the id of something new."""
    id = {f"{kind}_id": "$response.body#/id"}
    return {f"{verb}_{kind}": {"operationId": f"{verb}_{kind}", "parameters": id} for verb in _VERBS}


def _documented(responses: Responses, *parameters: dict[str, Any]) -> dict[str, Any]:
    """What a route is told beyond its path and its model."""
    return {
        "responses": responses,
        "openapi_extra": {"parameters": [{"required": False, **each} for each in parameters]},
    }


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """The parts of a parameter, from a property: what is left out is never null in a query."""
    kept = {name: value for name, value in schema.items() if name not in ("title", "description")}
    choices = [each for each in kept.pop("anyOf", []) if each != {"type": "null"}]
    if kept.get("default", ...) is None:
        del kept["default"]
    return {
        "description": schema["description"],
        "schema": kept | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {}),
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
        route_class=DirectRoute,
        prefix=f"/{name}",
        tags=[name],
        responses=problems(421, 500, 503, 507),
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
                if "patch" in path:
                    content = path["patch"]["requestBody"]["content"]
                    content[_MERGE_PATCH] = content["application/json"]
            for kind in ("UserCreate", "UserUpdate"):
                password = schema["components"]["schemas"][kind]["properties"]["password"]
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
        if int(status) in WORTH_ANOTHER_TRY:
            later = {"Retry-After": _header("Seconds to wait.", example=RETRY_AFTER)}
            response["headers"] = later | (_QUOTA if status == "429" else {})
