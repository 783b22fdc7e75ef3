"""Answers, encoded where they are made: FastAPI would validate them again, in another thread."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from orjson import dumps

from entrypoints.api.conditional import entity_tag, is_known
from entrypoints.api.queries import WantedPage, parameters
from service_layer.read_models import ItemView, Page, UserView

_JSON = "application/json"
_POSITION = ("limit", "skip", "offset", "after", "cursor")


def answer(content: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Response:
    """Something that has no address of its own."""
    return Response(dumps(content), media_type=_JSON)


def shown(view: UserView | ItemView, request: Request) -> Response:
    """One thing, or 304 where the client has it already."""
    body = dumps(view)
    tag = entity_tag(body)
    if is_known(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, headers={"ETag": tag}, media_type=_JSON)


def changed(view: UserView | ItemView) -> Response:
    """One thing, as it is now."""
    body = dumps(view)
    return Response(body, headers={"ETag": entity_tag(body)}, media_type=_JSON)


def created(view: UserView | ItemView, path: str, request: Request) -> Response:
    """Something new, and in ``Location`` where it can be read (RFC 9110 §10.2.2)."""
    response = changed(view)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}{path}{view['id']}"
    return response


def listed(page: Page[UserView] | Page[ItemView], query: WantedPage, request: Request) -> Response:
    """A plain JSON list; in ``Link`` the next page while there is one (RFC 8288), and how many rows all pages have
    where they were counted (RFC 7240 §3)."""
    headers = {}
    if page.more:
        others = [each for each in parameters(request) if each[0] not in _POSITION]
        kept = "&" + urlencode(others) if others else ""
        following = f"limit={query.limit}&{query.following(page.rows[-1])}{kept}"
        headers["Link"] = f'<{request.scope["path"]}?{following}>; rel="next"'
    if page.total is not None:
        headers |= {"X-Total-Count": str(page.total), "Preference-Applied": "count=exact"}
    return Response(dumps(page.rows), headers=headers, media_type=_JSON)


def wants_count(request: Request) -> bool:
    """Whether the client asks for the number of all rows: ``Prefer: count=exact`` (RFC 7240); the first one counts."""
    for preference in ",".join(request.headers.getlist("Prefer")).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip(" \t").lower() == "count":
            return value.strip(" \t").lower() in ("exact", '"exact"')
    return False
