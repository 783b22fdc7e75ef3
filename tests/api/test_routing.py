"""The fast path responds like FastAPI, or leaves the route to it."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Header,
    Query,
    Request,
    Response,
    Security,
)
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPBearer, SecurityScopes
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from entrypoints.api.routing import PooledRoute, install_route_table
from entrypoints.api.routing.plans import plan
from entrypoints.api.schemas import Id

JSON = "application/json"


class Thing(BaseModel):
    name: Annotated[str, Field(max_length=5)]
    size: Annotated[float, Field(allow_inf_nan=False)] = 1


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=9)] = 5
    name: str | None = None


async def shout(request: Request, x_voice: Annotated[str | None, Header(max_length=5)] = None) -> str:
    if x_voice == "mute":
        raise HTTPException(403)
    return f"{x_voice}!"


Shout = Annotated[str, Depends(shout)]


async def twice(shout: Shout) -> str:
    return shout * 2


def stored(twice: Annotated[str, Depends(twice)], x_store: Annotated[str | None, Header(max_length=3)] = None) -> str:
    if x_store == "no":
        raise HTTPException(404)
    return f"{twice} in {x_store}"


async def lines(accept: Annotated[list[str] | None, Header()] = None) -> list[str] | None:
    return accept


def scopes_of(scopes: SecurityScopes) -> list[str]:
    return scopes.scopes


def yields() -> Iterator[str]:
    yield "yielded"


def build(kind: type[APIRoute]) -> APIRouter:
    router = APIRouter(route_class=kind)

    @router.get("/things/{id}")
    def read(id: Id, request: Request) -> Response:
        return JSONResponse([id, request.url.path])

    @router.post("/things/{id}")
    def write(id: Id, thing: Thing, voice: Shout) -> Response:
        return JSONResponse([id, thing.model_dump(), voice])

    @router.post("/things")
    async def write_some(things: Annotated[list[Thing], Body(max_length=2)], request: Request) -> Response:
        return JSONResponse([[each.model_dump() for each in things], len(await request.body())])

    @router.get("/things")
    def find(part: Annotated[Part, Query()], voice: Annotated[str, Depends(twice)]) -> Response:
        return JSONResponse([part.model_dump(), voice])

    @router.get("/stored/{id}")
    def find_stored(id: Id, lines: Annotated[Any, Depends(lines)], stored: Annotated[str, Depends(stored)]) -> Response:
        return JSONResponse([id, stored, lines])

    return router


def build_others(kind: type[APIRoute]) -> APIRouter:
    """Routes that are left to FastAPI."""
    router = APIRouter(route_class=kind, prefix="/others")

    @router.get("/content/{id}")
    def content(id: Id) -> dict[str, int]:
        return {"id": id}

    @router.post("/model", status_code=201)
    async def model(thing: Thing) -> Thing:
        return thing

    @router.delete("/nothing", status_code=204)
    def nothing() -> None: ...

    @router.post("/embedded")
    def embedded(thing: Annotated[Thing, Body(embed=True)]) -> Response:
        return JSONResponse(thing.model_dump())

    @router.post("/two")
    def two(thing: Thing, other: Thing) -> Response:
        return JSONResponse([thing.model_dump(), other.model_dump()])

    @router.post("/optional")
    def optional(thing: Thing | None = None) -> Response:
        return JSONResponse(thing and thing.model_dump())

    @router.get("/query")
    def query(q: int = 7) -> Response:
        return JSONResponse(q)

    @router.get("/required")
    def required(x: Annotated[str, Header()]) -> Response:
        return JSONResponse(x)

    @router.get("/cookie")
    def cookie(x: Annotated[str | None, Cookie()] = None) -> Response:
        return JSONResponse(x)

    @router.get("/yields")
    def from_generator(x: Annotated[str, Depends(yields)]) -> Response:
        return JSONResponse(x)

    @router.get("/class")
    def from_class(x: Annotated[Thing, Depends(Thing)]) -> Response:
        return JSONResponse(x.model_dump())

    @router.get("/bearer")
    def bearer(x: Annotated[Any, Depends(HTTPBearer())]) -> Response:
        return JSONResponse(x.credentials)

    @router.get("/scopes")
    def scopes(x: Annotated[Any, Security(scopes_of, scopes=["read"])]) -> Response:
        return JSONResponse(None)

    @router.get("/response")
    def response(response: Response) -> Response:
        return JSONResponse(response.status_code)

    @router.get("/background")
    def background(tasks: BackgroundTasks) -> Response:
        return JSONResponse(None)

    @router.get("/anew")
    def anew(x: Annotated[str, Depends(shout, use_cache=False)]) -> Response:
        return JSONResponse(x)

    @router.get("/again")
    def again(x: Annotated[str, Depends(twice)], y: Shout) -> Response:
        return JSONResponse([x, y])

    @router.get("/synchronous-first")
    def synchronous_first(x: Annotated[str, Depends(lambda: "x")], y: Shout) -> Response:
        return JSONResponse([x, y])

    @router.get("/{other}")
    def any_other(other: str) -> dict[str, str]:
        return {"other": other}

    return router


def build_app(kind: type[APIRoute], *, with_table: bool = False) -> FastAPI:
    app = FastAPI()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        parts = [[each["type"], each["loc"], each["msg"]] for each in error.errors()]
        return JSONResponse([parts, isinstance(error.body, bytes)], 422)

    app.include_router(build(kind), prefix="/v1")
    app.include_router(build_others(kind))
    app.add_route("/v1/things/special", lambda request: JSONResponse("special"), methods=["PUT"])
    if with_table:
        install_route_table(app)
    return app


APPS = [build_app(APIRoute), build_app(PooledRoute), build_app(PooledRoute, with_table=True)]
CLIENTS = [TestClient(app, raise_server_exceptions=False) for app in APPS]

TOWEL = b'{"name": "Towel"}'
BODIES = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"0",
    b"{}",
    TOWEL,
    b'{"name": "Towels", "size": "?"}',
    b'{"name": "Towel", "size": NaN}',
    b"[%b]" % TOWEL,
    b'[%b, {"name": 1}, {}]' % TOWEL,
    b'{"name": "Towel"',
    b'{"name": "Towel"}}',
    b'{"name": "\xff"}',
    b"\xef\xbb\xbf" + TOWEL,
    TOWEL.decode().encode("utf-16"),
    b"1" * 5000,
    b"[" * 100_000,
]
CONTENT_TYPES = [
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
IDS = (7, 0, "x", 2**63, "1_0", "%20 1", "%2F", "special")
QUERIES = (
    "",
    "limit=7",
    "limit=0",
    "limit=x&name=",
    "name=a&name=b",
    "limit=3&other=1&other=2",
    "name=%ff",
    "=&&;",
    "name",
)
VOICES: tuple[dict[str, str], ...] = (
    {},
    {"X-Voice": "loud"},
    {"X-Voice": "too loud"},
    {"X-Voice": "mute"},
    {"X-Store": "no"},
    {"X-Store": "none", "X-Voice": "mute"},
    {"X-Store": "here", "X-Voice": "too loud"},
    {"X-Store": "a"},
    {"Accept": "a"},
)
OTHERS = ["content/7", "content/x", "query", "query?q=8", "query?q=x", "required", "cookie", "yields", "class?name=a"]
OTHERS += ["class", "bearer", "scopes", "response", "background", "anew", "again", "synchronous-first", "unknown"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        *(
            ("POST", path, {} if kind is None else {"Content-Type": kind}, body)
            for path in ("/v1/things/7", "/v1/things/0", "/v1/things")
            for kind in CONTENT_TYPES
            for body in BODIES
        ),
        *(("POST", "/v1/things/x", {"Content-Type": JSON, **voice}, TOWEL) for voice in VOICES),
        *((method, f"/v1/things/{id}", {}, b"") for method in ("GET", "PUT", "PATCH") for id in IDS),
        *(("GET", f"/v1/things?{query}", voice, b"") for query in QUERIES for voice in VOICES),
        *(("GET", f"/v1/stored/{id}", voice, b"") for id in (7, "x") for voice in VOICES),
        *(("GET", f"/others/{path}", {}, b"") for path in OTHERS),
        ("DELETE", "/others/nothing", {}, b""),
        *(
            ("GET", path, {}, b"")
            for path in ("/", "/v1", "/v1/", "/v1/things/", "/v2/things", "/things", "//v1/things")
        ),
        *(
            ("POST", f"/others/{path}", headers, body)
            for path in ("model", "embedded", "two", "optional")
            for headers in ({}, {"Content-Type": JSON})
            for body in (b"", TOWEL, b'{"thing": %b}' % TOWEL, b'{"thing": %b, "other": %b}' % (TOWEL, TOWEL))
        ),
    ],
)
def test_responses_are_the_same_as_fastapis(method: str, path: str, headers: dict[str, str], body: bytes) -> None:
    responses: list[Any] = []
    for client in CLIENTS:
        response = client.request(method, path, headers=headers, content=body, follow_redirects=False)
        responses.append([response.status_code, response.content, dict(response.headers)])
    assert responses[1:] == [responses[0], responses[0]]


def test_only_supported_routes_are_planned() -> None:
    planned = {each.name for each in iter_route_contexts(APPS[2].routes) if plan(each) is not None}
    assert planned == {"read", "write", "write_some", "find", "find_stored"}


async def refuse() -> None:
    raise HTTPException(401)


def refuse_later() -> None:
    raise HTTPException(401)


def refuse_and_clean_up() -> Iterator[None]:
    raise HTTPException(401)
    yield


REFUSALS = [refuse, refuse_later, refuse_and_clean_up, HTTPBearer()]


@pytest.mark.parametrize("refusal", REFUSALS, ids=["async", "def", "yield", "class"])
@pytest.mark.parametrize("level", ["application", "include", "router", "endpoint"])
def test_a_dependency_that_refuses_is_called_at_every_level(level: str, refusal: Any) -> None:
    at = {
        each: [Depends(refusal)] if each == level else [] for each in ("application", "include", "router", "endpoint")
    }
    app = FastAPI(dependencies=at["application"])
    router = APIRouter(dependencies=at["router"], route_class=PooledRoute)

    @router.get("/thing", dependencies=at["endpoint"])
    def read() -> Response:
        return JSONResponse("secret")

    outer = APIRouter(prefix="/outer")
    outer.include_router(router, prefix="/inner", dependencies=at["include"])
    app.include_router(outer)
    install_route_table(app)
    client = TestClient(app)
    assert (client.get("/outer/inner/thing").status_code, client.get("/outer/inner/nothing").status_code) == (401, 404)


def test_overrides_replace_dependencies() -> None:
    app = build_app(PooledRoute, with_table=True)
    client = TestClient(app)
    assert client.get("/v1/things").json()[1] == "None!None!"
    app.dependency_overrides[shout] = lambda: "quiet"
    assert client.get("/v1/things").json()[1] == "quietquiet"
    app.dependency_overrides.clear()
    assert client.get("/v1/things").json()[1] == "None!None!"


def test_routes_that_are_added_later_are_found_and_kept_in_order() -> None:
    app = build_app(PooledRoute, with_table=True)
    client = TestClient(app)
    assert client.get("/v1/late").status_code == 404
    router = APIRouter(prefix="/v1", route_class=PooledRoute)
    app.include_router(router)

    @router.get("/late")
    def late() -> Response:
        return JSONResponse("late")

    @router.get("/things/{id}")
    def hidden(id: int) -> Response:
        return JSONResponse("behind another one")

    assert client.get("/v1/late").json() == "late"
    assert client.get("/v1/things/7").json() == [7, "/v1/things/7"]


def test_the_first_matching_route_wins_planned_or_not() -> None:
    app = FastAPI()
    inner = FastAPI()

    @inner.get("/things/{id}")
    def mounted(id: int) -> str:
        return "mounted"

    app.mount("/v1", inner)
    app.include_router(build(PooledRoute), prefix="/v1")
    install_route_table(app)
    assert TestClient(app).get("/v1/things/7").json() == "mounted"
