"""Responses. They are encoded in the thread of the use case; FastAPI would validate them again on the event loop."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote_plus

from fastapi import Request, Response
from orjson import dumps

from entrypoints.api.http.conditional import Conditions, entity_tag
from entrypoints.api.http.encoding import encode, encode_page
from entrypoints.api.queries import PageQuery
from service_layer.read_models import Page

_JSON = "application/json"
_SAFE_IN_LINK = "/?:@!$&'()*+=%"  # many clients end the URL of a Link at a semicolon
_PAGE_PARAMETERS = ("limit", "skip", "offset", "after", "cursor")


def json_response(content: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Response:
    """A JSON response without an ``ETag``."""
    return Response(dumps(content), media_type=_JSON)


def item_response(view: Mapping[str, Any], conditions: Conditions | None = None) -> Response:
    """One resource with its ``ETag``, or a 304 if the client already has it.

    :raises StaleVersion: ``If-Match`` does not match.
    """
    body = encode(view)
    tag = entity_tag(body)
    if conditions is not None and conditions.is_not_modified(tag):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, headers={"ETag": tag}, media_type=_JSON)


def created_response(view: Mapping[str, Any], path: str, request: Request) -> Response:
    """A new resource with its ``Location`` (RFC 9110 §10.2.2)."""
    response = item_response(view)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}{path}{view['id']}"
    return response


def _is_filter(parameter: str) -> bool:
    """Whether this part of a query is for all pages."""
    return parameter != "" and unquote_plus(parameter.partition("=")[0]) not in _PAGE_PARAMETERS


def page_response(page: Page[Any], query: PageQuery, request: Request) -> Response:
    """A page of a list, with a ``Link`` to the next one if there is one (RFC 8288), and ``X-Total-Count`` if rows were
    counted. The page ends early if it would be larger than ``BELONGINGS_PAGE_BYTES``."""
    page, body = encode_page(query.aggregate, page, request.app.state.container.settings().page_bytes)
    headers = {}
    if page.more:
        others = [each for each in request.scope["query_string"].decode().split("&") if _is_filter(each)]
        next_page = "&".join([f"limit={query.limit}", query.following(page.rows[-1]), *others])
        headers["Link"] = f'<{request.scope["path"]}?{quote(next_page, safe=_SAFE_IN_LINK)}>; rel="next"'
    if page.total is not None:
        headers |= {"X-Total-Count": str(page.total), "Preference-Applied": "count=exact"}
    return Response(body, headers=headers, media_type=_JSON)
