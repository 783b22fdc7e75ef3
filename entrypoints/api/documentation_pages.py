"""``/docs`` and ``/redoc`` without a CDN, and with a content security policy."""

import re
from base64 import b64encode
from hashlib import sha256
from os import stat_result
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import JSONResponse
from starlette.types import Scope

_DOCUMENT = "/openapi.json"
_ASSETS = "/static-offline-docs"
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_POLICY = (
    "default-src 'none'; script-src 'self'{hashes}; style-src {styles}; img-src 'self' data:; connect-src 'self'; "
    "worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def documented_app(**options: Any) -> FastAPI:
    """An application with ``/docs``, ``/redoc`` and ``/openapi.json``.

    :param options: arguments of ``FastAPI``.
    """
    app = FastAPI(openapi_url=None, **options)
    app.openapi_url = _DOCUMENT
    app.add_route(_DOCUMENT, _OpenApi().respond, include_in_schema=False)
    app.mount(_ASSETS, _Assets(packages=[("fastapi_offline", "static")]))
    app.add_route("/docs", _swagger_ui, include_in_schema=False)
    app.add_route("/redoc", _redoc, include_in_schema=False)
    return app


class _OpenApi:
    """The document of the application, encoded once: it takes 3 ms, and FastAPI does it for each request."""

    def __init__(self) -> None:
        self._schema: dict[str, Any] | None = None
        self._body = b""

    async def respond(self, request: Request) -> Response:
        schema = request.app.openapi()
        if schema is not self._schema:  # FastAPI makes a new one after routes were added
            self._schema, self._body = schema, bytes(JSONResponse(schema).body)
        return Response(self._body, media_type="application/json")


class _Assets(StaticFiles):
    """The scripts, always whole: Starlette refuses a ``Range`` that is not valid in plain text."""

    def file_response(self, full_path: Any, stat_result: stat_result, scope: Scope, status_code: int = 200) -> Response:
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"range"]
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Accept-Ranges"] = "none"
        return response


async def _swagger_ui(request: Request) -> Response:
    root, assets = _root_and_assets(request)
    page = get_swagger_ui_html(
        openapi_url=f"{root}{request.app.openapi_url}",
        title=f"{request.app.title} - Swagger UI",
        swagger_js_url=f"{assets}/swagger-ui-bundle.js",
        swagger_css_url=f"{assets}/swagger-ui.css",
        swagger_favicon_url=f"{assets}/favicon.png",
    )
    return _protected(page, styles="'self'")


async def _redoc(request: Request) -> Response:
    root, assets = _root_and_assets(request)
    page = get_redoc_html(
        openapi_url=f"{root}{request.app.openapi_url}",
        title=f"{request.app.title} - ReDoc",
        redoc_js_url=f"{assets}/redoc.standalone.js",
        redoc_favicon_url=f"{assets}/favicon.png",
        with_google_fonts=False,
    )
    return _protected(page, styles="'self' 'unsafe-inline'")  # it adds inline styles at run time


def _root_and_assets(request: Request) -> tuple[str, str]:
    root = request.scope.get("root_path", "")
    return root, f"{root}{_ASSETS}"


def _protected(page: Response, *, styles: str) -> Response:
    """Add a content security policy that allows only the page's own inline scripts, and forbids framing."""
    digests = (sha256(script).digest() for script in _INLINE_SCRIPT.findall(bytes(page.body)))
    hashes = "".join(f" 'sha256-{b64encode(digest).decode()}'" for digest in digests)
    page.headers["Content-Security-Policy"] = _POLICY.format(hashes=hashes, styles=styles)
    return page
