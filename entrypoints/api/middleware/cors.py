"""Cross-origin resource sharing (CORS): which web pages may call the API from a browser."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from entrypoints.api.http.problems import problem

_METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
_REQUEST_HEADERS = ("Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "X-Request-ID")
_RESPONSE_HEADERS = (
    "ETag",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
    "X-Total-Count",
)


class CorsMiddleware(CORSMiddleware):
    """Starlette's ``CORSMiddleware`` with the methods and headers of this API; it refuses preflights with a problem.

    Credentials are not allowed: the API uses no cookies.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(app, origins, _METHODS, _REQUEST_HEADERS, expose_headers=_RESPONSE_HEADERS)

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return problem(400, bytes(response.body).decode(), headers=headers)
