"""Routes that give an endpoint what it needs on the shortest way."""

import json
from collections.abc import Callable, Coroutine
from inspect import iscoroutinefunction, signature
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Body
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_MISSING = {"loc": ("body",), "msg": "Field required", "type": "missing"}


class DirectRoute(APIRoute):
    """Reads the path and the body, as FastAPI does and with its fields, and nothing else.

    FastAPI looks through query, header, cookies and dependencies for each endpoint, whatever it asks for: that took
    32 of 123 µs for reading a user. Any endpoint but an ``async def`` that asks for the request, its path and at most
    one body, and says that it returns a ``Response``, is left to FastAPI.
    """

    def get_route_handler(self) -> Handler:
        if not self._is_plain():
            return super().get_route_handler()
        needs, endpoint = self.dependant, self.endpoint
        path, request_name = needs.path_params, needs.request_param_name
        body = next(iter(needs.body_params), None)

        async def handle(request: Request) -> Response:
            values: dict[str, Any] = {str(request_name): request}
            errors: list[dict[str, Any]] = []
            for field in path:
                values[field.name], wrong = field.validate(request.path_params[field.alias], loc=("path", field.alias))
                errors += wrong
            content = None
            if body:
                content = await _content(request)
                if content == b"":
                    content = None
                    errors.append(_MISSING)
                else:
                    values[body.name], wrong = body.validate(content, loc=("body",))
                    errors += wrong
            if errors:
                raise RequestValidationError(errors, body=content)
            response: Response = await endpoint(**values)
            return response

        return handle

    def _is_plain(self) -> bool:
        needs, wants = self.dependant, signature(self.endpoint)
        known = {needs.request_param_name, *(field.name for field in (*needs.path_params, *needs.body_params))}
        return (
            iscoroutinefunction(self.endpoint)
            and wants.return_annotation is Response
            and known == set(wants.parameters)
            and needs.dependencies == []
            and [type(field.field_info) for field in needs.body_params] in ([], [Body])
            and all(field.field_info.is_required() for field in needs.body_params)
            and not self._embed_body_fields
        )


async def _content(request: Request) -> Any:
    """What the body says, or the body itself where it is not announced as JSON."""
    coding = request.headers.get("content-encoding", "")
    if coding and coding.strip().lower() != "identity":
        raise HTTPException(415, "Send the body without a Content-Encoding", {"Accept-Encoding": "identity"})
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    try:
        body = await request.body()
        return json.loads(body) if body and is_json else body
    except json.JSONDecodeError as error:
        said = {"loc": ("body", error.pos), "msg": "JSON decode error", "type": "json_invalid"}
        raise RequestValidationError([said], body=error.doc) from error
    except (ClientDisconnect, ValueError, RecursionError) as error:  # the last two: no UTF-8, and nested too deep
        raise HTTPException(400, "There was an error parsing the body") from error
