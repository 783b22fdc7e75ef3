"""Answers, encoded where they are made: FastAPI would validate them again, in another thread."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json

from service_layer.read_models import ItemView, Page, PageRequest, UserView

_JSON = "application/json"


def answer(view: UserView | ItemView | Mapping[str, Any]) -> Response:
    """One thing."""
    return Response(to_json(view), media_type=_JSON)


def created(view: UserView | ItemView, path: str, request: Request) -> Response:
    """Something new, and in ``Location`` where it can be read (RFC 9110 §10.2.2)."""
    location = f"{_root(request)}{path}{view['id']}"
    return Response(to_json(view), headers={"Location": location}, media_type=_JSON)


def listed(page: Page[UserView] | Page[ItemView], wanted: PageRequest, request: Request) -> Response:
    """A plain JSON list, and in ``Link`` the next page while there is one (RFC 8288)."""
    headers = {}
    if page.more:
        following = f"{request.scope['path']}?limit={wanted.limit}&after={page.rows[-1]['id']}"
        headers["Link"] = f'<{following}>; rel="next"'
    return Response(to_json(page.rows), headers=headers, media_type=_JSON)


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))
