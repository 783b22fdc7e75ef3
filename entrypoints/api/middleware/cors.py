"""Which pages may call the service from a browser (CORS, in the WHATWG's Fetch standard)."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from entrypoints.api.http.problems import problem

_METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
_TAKEN = ("Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "X-Request-ID")
_SHOWN = (
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
    """Lets the pages of these origins send what the API takes, and read what it answers.

    Without cookies or any other credentials: the API has none. What is refused is refused with a problem.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(app, origins, _METHODS, _TAKEN, expose_headers=_SHOWN)

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return problem(400, bytes(response.body).decode(), headers=headers)
