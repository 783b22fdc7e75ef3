"""The conventions of FastAPI's documentation work in this application, with and without the fast path."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest
import uvicorn
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    File,
    Form,
    HTTPException,
    Request,
    Response,
    UploadFile,
    WebSocket,
)
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel, SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.asyncio.client import connect

from entrypoints.api.app import create_app
from entrypoints.api.dependencies import UnitOfWorkDep, unit_of_work
from entrypoints.api.routing import PooledRoute
from entrypoints.container import Container, build_container
from entrypoints.settings import Settings
from service_layer import items
from service_layer.ports import UnitOfWork

BODIES: dict[str, Any] = {
    "/users/": {"email": "rick@example.com", "password": "wubbalubba"},
    "/items/batch": [{"title": "Towel"}],
}


@pytest.fixture
def container() -> Container:
    return build_container(Settings(database_url=SecretStr("memory://")))


@pytest.fixture
def app(container: Container) -> FastAPI:
    return create_app(container)


@pytest.fixture(params=[PooledRoute, None], ids=["pooled", "plain"])
def router(request: pytest.FixtureRequest) -> APIRouter:
    """A router of an adopter, with our route class and with FastAPI's."""
    return APIRouter(prefix="/mine", route_class=request.param) if request.param else APIRouter(prefix="/mine")


async def refuse() -> None:
    raise HTTPException(401, "Sign in first", {"WWW-Authenticate": "Bearer"})


def statuses(app: FastAPI) -> dict[tuple[str, str], int]:
    """The status of each operation under ``/users`` and ``/items``."""
    with TestClient(app) as client:
        client.post("/users/", json=BODIES["/users/"])
        client.post("/items/", json={"title": "Towel"})
        found = {}
        for path, methods in client.get("/openapi.json").json()["paths"].items():
            for method in methods if path.startswith(("/users", "/items")) else ():
                body = BODIES.get(path, {"title": "Sieve"}) if method == "post" else {} if method == "patch" else None
                response = client.request(method, path.format(user_id=1, item_id=1), json=body)
                found[method, path] = response.status_code
        return found


def test_without_a_dependency_that_refuses_nothing_is_refused(app: FastAPI) -> None:
    assert len(statuses(app)) == 13
    assert 401 not in statuses(app).values()


def test_a_dependency_of_the_application_refuses_every_operation(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FastAPI.__init__
    monkeypatch.setattr(FastAPI, "__init__", lambda *a, **k: original(*a, **k, dependencies=[Depends(refuse)]))
    assert set(statuses(create_app(container)).values()) == {401}


def test_a_dependency_of_include_router_refuses_every_operation(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FastAPI.include_router
    monkeypatch.setattr(FastAPI, "include_router", lambda *a, **k: original(*a, **k, dependencies=[Depends(refuse)]))
    assert set(statuses(create_app(container)).values()) == {401}


@pytest.mark.parametrize("level", ["router", "endpoint"])
def test_a_dependency_of_a_router_or_an_endpoint_refuses(app: FastAPI, level: str) -> None:
    refusal = [Depends(refuse)]
    router = APIRouter(route_class=PooledRoute, dependencies=refusal if level == "router" else [])

    @router.get("/mine", dependencies=refusal if level == "endpoint" else [])
    def mine() -> Response:
        return Response("secret")

    app.include_router(router)
    response = TestClient(app).get("/mine")
    assert (response.status_code, response.headers["WWW-Authenticate"], response.json()["detail"]) == (
        401,
        "Bearer",
        "Sign in first",
    )


def test_an_override_of_the_unit_of_work_refuses_every_operation(app: FastAPI) -> None:
    app.dependency_overrides[unit_of_work] = refuse
    assert set(statuses(app).values()) == {401}


def test_an_override_can_give_another_unit_of_work(app: FastAPI) -> None:
    other = build_container(Settings(database_url=SecretStr("memory://")))
    items.create_item(other.unit_of_work(), title="Towel")

    def another() -> UnitOfWork:
        return other.unit_of_work()

    with TestClient(app) as client:
        assert client.get("/items/").json() == []
        app.dependency_overrides[unit_of_work] = another
        assert [item["title"] for item in client.get("/items/").json()] == ["Towel"]
        app.dependency_overrides = {}
        assert client.get("/items/").json() == []


def test_use_cases_run_in_an_ordinary_endpoint(app: FastAPI, router: APIRouter) -> None:
    @router.post("/items/{title}")
    def create(title: str, uow: UnitOfWorkDep) -> dict[str, Any]:
        return dict(items.create_item(uow, title=title))

    app.include_router(router)
    with TestClient(app) as client:
        assert client.post("/mine/items/Towel").json()["title"] == "Towel"
        assert client.get("/items/1").json()["title"] == "Towel"


def test_a_yield_dependency_is_cleaned_up_after_the_response(app: FastAPI, router: APIRouter) -> None:
    events: list[str] = []

    def session() -> Iterator[str]:
        events.append("open")
        yield "session"
        events.append("close")

    async def another(session: Annotated[str, Depends(session)]) -> AsyncIterator[str]:
        yield f"another {session}"
        events.append("close another")

    @router.get("/")
    def read(given: Annotated[str, Depends(another)]) -> str:
        events.append("read")
        return given

    app.include_router(router)
    assert TestClient(app).get("/mine/").json() == "another session"
    assert events == ["open", "read", "close another", "close"]


def test_background_tasks_run(app: FastAPI, router: APIRouter) -> None:
    done: list[str] = []

    @router.post("/")
    def begin(tasks: BackgroundTasks) -> str:
        tasks.add_task(done.append, "task")
        return "started"

    app.include_router(router)
    assert (TestClient(app).post("/mine/").json(), done) == ("started", ["task"])


def test_a_response_model_filters(app: FastAPI, router: APIRouter) -> None:
    class Public(BaseModel):
        name: str

    @router.get("/", response_model=Public)
    def read() -> dict[str, str]:
        return {"name": "Rick", "secret": "C-137"}

    @router.get("/annotated", status_code=202)
    def annotated(response: Response) -> Public:
        response.headers["X-Own"] = "yes"
        return Public(name="Morty")

    app.include_router(router)
    client = TestClient(app)
    assert client.get("/mine/").json() == {"name": "Rick"}
    response = client.get("/mine/annotated")
    assert (response.status_code, response.json(), response.headers["X-Own"]) == (202, {"name": "Morty"}, "yes")


def test_forms_and_files_are_read(app: FastAPI, router: APIRouter) -> None:
    @router.post("/form")
    def form(name: Annotated[str, Form()]) -> str:
        return name

    @router.post("/file")
    def file(file: UploadFile, more: Annotated[bytes, File()]) -> list[Any]:
        return [file.filename, len(file.file.read()), len(more)]

    app.include_router(router)
    client = TestClient(app)
    assert client.post("/mine/form", data={"name": "Rick"}).json() == "Rick"
    files: Any = {"file": ("towel.txt", b"12345"), "more": b"123"}
    assert client.post("/mine/file", files=files).json() == ["towel.txt", 5, 3]


def test_a_response_can_be_streamed(app: FastAPI, router: APIRouter) -> None:
    @router.get("/")
    def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"one ", b"two"]), media_type="text/plain")

    app.include_router(router)
    assert TestClient(app).get("/mine/").text == "one two"


@pytest.mark.parametrize("status", [400, 402, 418, 451, 499, 503, 599])
def test_an_http_exception_of_any_status_is_a_problem(app: FastAPI, router: APIRouter, status: int) -> None:
    @router.get("/")
    def fail() -> str:
        raise HTTPException(status, {"why": "structured"} if status == 402 else "Because", {"X-Own": "yes"})

    app.include_router(router)
    response = TestClient(app).get("/mine/")
    problem = response.json()
    assert (response.status_code, problem["status"], response.headers["X-Own"]) == (status, status, "yes")
    assert problem["detail"] == ({"why": "structured"} if status == 402 else "Because")


class OutOfPortals(Exception):
    """Of an adopter."""


def test_own_exception_handlers_answer(app: FastAPI, router: APIRouter) -> None:
    @app.exception_handler(OutOfPortals)
    async def handle(_: Request, error: OutOfPortals) -> JSONResponse:
        return JSONResponse({"own": str(error)}, 409)

    @router.get("/")
    def fail() -> str:
        raise OutOfPortals("none left")

    app.include_router(router)
    response = TestClient(app).get("/mine/")
    assert (response.status_code, response.json()) == (409, {"own": "none left"})
    assert response.headers["X-Request-ID"]


def test_an_own_handler_for_exception_handles_unexpected_errors(app: FastAPI, router: APIRouter) -> None:
    @app.exception_handler(Exception)
    async def handle(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"own": type(error).__name__}, 500)

    @router.get("/")
    def fail() -> str:
        raise OutOfPortals

    app.include_router(router)
    response = TestClient(app, raise_server_exceptions=False).get("/mine/")
    assert (response.status_code, response.json()) == (500, {"own": "OutOfPortals"})


def test_a_test_client_raises_unexpected_errors(app: FastAPI, router: APIRouter) -> None:
    @router.get("/")
    def fail() -> str:
        raise OutOfPortals

    app.include_router(router)
    with pytest.raises(OutOfPortals):
        TestClient(app).get("/mine/")


def test_own_middleware_sees_requests_and_responses(app: FastAPI) -> None:
    class Before:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {})["seen"] = "before"
            await self.app(scope, receive, send)

    @app.middleware("http")
    async def after(request: Request, call_next: Callable[[Request], Any]) -> Response:
        response: Response = await call_next(request)
        response.headers["X-Own"] = request.state.seen
        return response

    app.add_middleware(Before)
    with TestClient(app) as client:
        responses = [client.get("/items/"), client.get("/items/7"), client.post("/items/", json={"title": "Towel"})]
    assert [(response.status_code, response.headers["X-Own"]) for response in responses] == [
        (200, "before"),
        (404, "before"),
        (200, "before"),
    ]


def test_other_applications_can_be_mounted_and_this_one_too(app: FastAPI) -> None:
    other, outer = FastAPI(), FastAPI()

    @other.get("/{name}")
    def read(name: str, request: Request) -> list[str]:
        return [name, str(request.url_for("read", name=name))]

    app.mount("/other", other)
    outer.mount("/belongings", app)
    with TestClient(app) as client:
        assert client.get("/other/portal").json() == ["portal", "http://testserver/other/portal"]
        mounted = TestClient(outer)
        assert mounted.get("/belongings/other/portal").json()[0] == "portal"
        created = mounted.post("/belongings/items/", json={"title": "Towel"})
        assert (created.status_code, created.headers["Location"]) == (200, "/belongings/items/1")
        assert mounted.get(created.headers["Location"]).json()["title"] == "Towel"
        assert app.url_path_for("read_item", item_id="1") == "/items/1"


def test_websockets_work_under_uvicorn(app: FastAPI, router: APIRouter) -> None:
    @router.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    app.include_router(router)

    async def main() -> str | bytes:
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="websockets-sansio"))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/mine/echo") as client:
            await client.send("portal")
            message = await client.recv()
        server.should_exit = True
        await serving
        return message

    assert asyncio.run(main()) == "portal"


def test_the_document_of_an_ordinary_router_is_generated(app: FastAPI, router: APIRouter) -> None:
    @router.get("/described", responses={404: {"description": "Nothing there"}, "default": {"description": "Other"}})
    def described(q: int = 1) -> str:
        return str(q)

    @router.get("/range", responses={"4XX": {"description": "Yours", "content": {"text/plain": {}}}})
    def ranged() -> str:
        return "?"

    @router.patch("/without-body")
    def patch() -> str:
        return "patched"

    app.include_router(router)
    response = TestClient(app).get("/openapi.json")
    assert response.status_code == 200
    paths = response.json()["paths"]
    assert paths["/mine/described"]["get"]["responses"]["404"]["description"] == "Nothing there"
    assert paths["/mine/described"]["get"]["responses"]["default"]["description"] == "Other"
    assert paths["/mine/range"]["get"]["responses"]["4XX"]["content"] == {"text/plain": {}}
    assert "requestBody" not in paths["/mine/without-body"]["patch"]
