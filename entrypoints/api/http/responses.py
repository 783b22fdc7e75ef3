"""Responses, encoded in the thread of the use case: FastAPI would validate them again, on the event loop."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from orjson import dumps

from entrypoints.api.http.conditional import Conditions, entity_tag
from entrypoints.api.http.encoding import encode, encode_page
from entrypoints.api.queries import PageQuery, query_parameters
from service_layer.read_models import ItemView, Page, UserView

_JSON = "application/json"
_POSITION = ("limit", "skip", "offset", "after", "cursor")


def json_response(content: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Response:
    """A response to what has no address of its own."""
    return Response(dumps(content), media_type=_JSON)


def item_response(view: UserView | ItemView, conditions: Conditions | None = None) -> Response:
    """One resource with its ``ETag``; 304 without it where the client has it already.

    :raises StaleVersion: ``If-Match`` does not hold.
    """
    body = encode(view)
    tag = entity_tag(body)
    if conditions is not None and conditions.is_not_modified(tag):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, headers={"ETag": tag}, media_type=_JSON)


def created_response(view: UserView | ItemView, path: str, request: Request) -> Response:
    """A new resource, and in ``Location`` where it can be read (RFC 9110 §10.2.2)."""
    response = item_response(view)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}{path}{view['id']}"
    return response


def page_response(page: Page[UserView] | Page[ItemView], query: PageQuery, request: Request) -> Response:
    """A JSON list; in ``Link`` the next page if there is one (RFC 8288), and the number of all rows if it was counted
    (RFC 7240 §3). It ends early, with a ``Link``, if it would be larger than ``BELONGINGS_PAGE_BYTES``."""
    page, body = encode_page(page, request.app.state.container.settings().page_bytes)
    headers = {}
    if page.more:
        others = [each for each in query_parameters(request) if each[0] not in _POSITION]
        kept = "&" + urlencode(others) if others else ""
        next_page = f"limit={query.limit}&{query.following(page.rows[-1])}{kept}"
        headers["Link"] = f'<{request.scope["path"]}?{next_page}>; rel="next"'
    if page.total is not None:
        headers |= {"X-Total-Count": str(page.total), "Preference-Applied": "count=exact"}
    return Response(body, headers=headers, media_type=_JSON)
