"""What an endpoint is given is what FastAPI would give it."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from entrypoints.api import items, users
from entrypoints.api.dependencies import Id
from entrypoints.api.routes import DirectRoute

JSON = "application/json"
Given = Annotated[str, Depends(lambda: "given")]


class Thing(BaseModel):
    name: Annotated[str, Field(max_length=5)]
    size: Annotated[float, Field(allow_inf_nan=False)] = 1


def client(kind: type[APIRoute]) -> TestClient:
    app = FastAPI()
    app.router.route_class = kind

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        parts = [[each["type"], each["loc"], each["msg"]] for each in error.errors()]
        return JSONResponse([parts, isinstance(error.body, bytes)], 422)

    @app.get("/{id}")
    async def read(id: Id, request: Request) -> Response:
        return JSONResponse([id, request.url.path])

    @app.post("/{id}")
    async def write(id: Id, thing: Thing, request: Request) -> Response:
        return JSONResponse([id, thing.model_dump(), len(await request.body())])

    @app.post("/")
    async def write_some(things: Annotated[list[Thing], Body(max_length=2)], request: Request) -> Response:
        return JSONResponse([each.model_dump() for each in things])

    @app.get("/other/synchronous/{id}")
    def synchronous(id: Id, request: Request) -> Response:
        return JSONResponse(id)

    @app.get("/other/content/{id}")
    async def content(id: Id, request: Request) -> dict[str, int]:
        return {"id": id}

    @app.post("/other/model", status_code=201)
    async def model(thing: Thing, request: Request) -> Thing:
        return thing

    @app.delete("/other/nothing", status_code=204)
    async def nothing(request: Request) -> None: ...

    @app.post("/other/embedded")
    async def embedded(thing: Annotated[Thing, Body(embed=True)], request: Request) -> Response:
        return JSONResponse(thing.model_dump())

    @app.post("/other/two")
    async def two(thing: Thing, other: Thing, request: Request) -> Response:
        return JSONResponse([thing.model_dump(), other.model_dump()])

    @app.post("/other/optional")
    async def optional(request: Request, thing: Thing | None = None) -> Response:
        return JSONResponse(thing and thing.model_dump())

    @app.patch("/{id}")
    async def more(
        id: Id, request: Request, given: Annotated[str, Depends(lambda: "given")], q: int = 7
    ) -> JSONResponse:
        return JSONResponse([id, given, q])

    return TestClient(app, raise_server_exceptions=False)


TOWEL = b'{"name": "Towel"}'
BODIES = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b'{"name": "Towel"}',
    b'{"name": "Towels", "size": "?"}',
    b'{"name": "Towel", "size": NaN}',
    b'[{"name": "Towel"}]',
    b'[{"name": "Towel"}, {"name": 1}, {}]',
    b'{"name": "Towel"',
    b'{"name": "Towel"}}',
    b'{"name": "\xff"}',
    b'\xef\xbb\xbf{"name": "Towel"}',
    '{"name": "Towel"}'.encode("utf-16"),
    b"1" * 5000,
    b"[" * 100_000,
]
KINDS = [
    None,
    "",
    JSON,
    "Application/JSON; charset=utf-8",
    " application/json ;",
    "application/merge-patch+json",
    "application/jsonx",
    "text/json",
    "text/plain",
    "multipart/form-data; boundary=x",
    "json",
    "application/json, text/plain",
]


@pytest.mark.parametrize(
    ("method", "path", "kind", "body"),
    [
        *(("POST", path, kind, body) for path in ("/7", "/0", "/") for kind in KINDS for body in BODIES),
        *((method, f"/{id}", None, b"") for method in ("GET", "PATCH") for id in (7, 0, "x", 2**63, "1_0", "%20 1")),
        *(("GET", f"/other/{path}/{id}", None, b"") for path in ("synchronous", "content") for id in (7, "x")),
        ("DELETE", "/other/nothing", None, b""),
        *(
            ("POST", f"/other/{path}", kind, body)
            for path in ("model", "embedded", "two", "optional")
            for kind in (None, JSON)
            for body in (b"", TOWEL, b'{"thing": %b}' % TOWEL, b'{"thing": %b, "other": %b}' % (TOWEL, TOWEL))
        ),
        ("PATCH", "/7?q=8", None, b""),
        ("PATCH", "/7?q=x", None, b""),
    ],
)
def test_an_endpoint_is_given_the_same(method: str, path: str, kind: str | None, body: bytes) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    answers: list[Any] = []
    for each in (CLIENTS[APIRoute], CLIENTS[DirectRoute]):
        answer = each.request(method, path, headers=headers, content=body)
        answers.append([answer.status_code, answer.content])
    assert answers[1] == answers[0]


CLIENTS = {kind: client(kind) for kind in (APIRoute, DirectRoute)}


def test_an_endpoint_that_asks_for_more_is_left_to_fastapi() -> None:
    app: Any = CLIENTS[DirectRoute].app
    handlers = {each.name: each.get_route_handler() for each in app.routes if isinstance(each, DirectRoute)}
    direct = {name for name, handler in handlers.items() if handler.__module__ == DirectRoute.__module__}
    assert direct == {"read", "write", "write_some"}


@pytest.mark.parametrize("router", [items.router, users.router])
def test_all_of_our_endpoints_are_given_theirs_directly(router: APIRouter) -> None:
    routes = [each for each in router.routes if isinstance(each, DirectRoute)]
    assert len(routes) > 5
    assert {each.get_route_handler().__module__ for each in routes} == {DirectRoute.__module__}
