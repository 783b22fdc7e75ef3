"""How routers describe their operations in ``/openapi.json``: headers, links and problems."""

from collections.abc import Iterable
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel

from domain.errors import BelongingsError, StaleVersion
from entrypoints.api.http.problems import status_of
from entrypoints.api.schemas import Removed, response_model
from service_layer.aggregates import AnyAggregate
from service_layer.errors import StorageFull, StorageUnavailable

Responses = dict[int | str, dict[str, Any]]

ABOUT: dict[str, Any] = {
    "title": "Belongings",
    "description": "Users and the items they own.\n\n"
    "Lists are paginated: follow `Link` to the next page. All errors are problems (RFC 9457).",
    "contact": {"name": "The Belongings developers"},
    "license_info": {"name": "MIT", "identifier": "MIT"},
    "openapi_tags": [
        {"name": "health", "description": "Whether the service is running, and whether it can serve requests."},
        {"name": "items", "description": "Items, with or without an owner."},
        {"name": "users", "description": "Users and their items."},
    ],
}
"""Arguments of ``FastAPI`` that describe the API."""

PROBLEMS = "x-problems"
"""The key of the problem types of a response, which ``customize_openapi`` replaces with examples."""

UNNAMED = "about:blank"


def header(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", **schema}}


TAG = {"ETag": header("Entity tag: it changes whenever the response does.", example='"9f86d081884c7d659a2feaa0"')}
QUOTA = {
    "RateLimit-Policy": header(
        "The limit of sign-ups and password changes for your address, and its window in seconds, if there is one.",
        example='"sign-ups";q=10;w=3600',
    ),
    "RateLimit": header(
        "How many of them are left, and in how many seconds the window ends.", example='"sign-ups";r=9;t=3600'
    ),
}

TAGGED_RESPONSES: Responses = {200: {"headers": TAG}}
"""A resource with its entity tag."""

CONDITIONAL_RESPONSES: Responses = TAGGED_RESPONSES | {
    304: {"description": "The resource still has the tag in `If-None-Match`", "headers": TAG}
}
"""A resource that is not sent again to a client that has it."""

PAGE_RESPONSES: Responses = {
    200: {
        "headers": {
            "Link": header('The next page as `<…>; rel="next"`, if there is one.'),
            "X-Total-Count": header("The number of rows on all pages, if it was requested."),
            "Preference-Applied": header("`count=exact`, if the rows were counted."),
        }
    }
}
"""A page of a list."""


def created(kind: str, **headers: Any) -> Responses:
    """A new ``user`` or ``item`` with its path, and links to the operations on it."""
    id = {f"{kind}_id": "$response.body#/id"}
    names = [f"{verb}_{kind}" for verb in ("read", "update", "delete")]
    links = {name: {"operationId": name, "parameters": id} for name in names}
    return {200: {"headers": {"Location": header("The path of the new resource.")} | TAG | headers, "links": links}}


def problems(*errors: type[BelongingsError]) -> Responses:
    """The responses for these errors of a use case."""
    return responses_with(map(status_of, errors))


def responses_with(problem_types: Iterable[tuple[int, str]]) -> Responses:
    """The responses for these statuses and names of problem types."""
    responses: Responses = {}
    for status, name in problem_types:
        responses.setdefault(status, {"description": "", PROBLEMS: []})[PROBLEMS].append(name)
    return responses


STORAGE_RESPONSES = problems(StorageUnavailable, StorageFull)
"""The responses of an operation that uses the database. If it changes something, they include ``OutcomeUnknown``."""

TOO_MANY_REQUESTS: Responses = {429: {"description": "", PROBLEMS: [UNNAMED], "headers": QUOTA}}

LIMITED_RESPONSES: Responses = TOO_MANY_REQUESTS | {200: {"headers": TAG | QUOTA}}
"""A resource after a change that is limited in its rate."""


class Documented:
    """How the operations on an aggregate are documented: keyword arguments of ``router.get`` and the others.

    :param shown: the response, by default made from the aggregate's view.
    """

    def __init__(self, aggregate: AnyAggregate, shown: type[BaseModel] | None = None) -> None:
        shown = shown or response_model(aggregate)
        missing = [each.not_found for each in aggregate.references.values()]
        refused = problems(*missing, *aggregate.unique.values())
        changed = problems(aggregate.not_found, *missing, *aggregate.unique.values(), StaleVersion)
        found = problems(aggregate.not_found, StaleVersion)
        self.create = _documented(shown, created(aggregate.singular) | refused)
        self.list = _documented(list[shown], PAGE_RESPONSES)  # type: ignore[valid-type]  # FastAPI takes it
        self.read = _documented(shown, CONDITIONAL_RESPONSES | found)
        self.update = _documented(shown, TAGGED_RESPONSES | changed)
        self.delete = _documented(Removed, found)


def _documented(shown: type, responses: Responses) -> dict[str, Any]:
    return {"response_model": shown, "responses": responses}


def operation_id(route: APIRoute) -> str:
    """The name of the endpoint's function, which names a method of generated clients."""
    return route.name
