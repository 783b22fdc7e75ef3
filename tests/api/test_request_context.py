"""What every answer has, and what the log says of every request."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import SecretStr
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from entrypoints.api.app import create_app
from entrypoints.container import build_container
from entrypoints.logging import Format, JsonFormatter
from entrypoints.settings import Settings
from tests.api.problems import expect_problem
from tests.conftest import container_for
from tests.databases import free_port

MADE = re.compile(r"[0-9a-f]{24}")
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO"
    r" (?P<method>[A-Z]+) (?P<route>\S+) (?P<status>\d{3}|-)(?P<aborted> aborted)? \d+\.\dms (?P<client>\S+)"
    r" request_id=(?P<id>\S+)"
)

REQUESTS: list[tuple[int, str, str, str, Any]] = [
    (200, "GET", "/users/", "/users/", None),
    (200, "HEAD", "/items/", "/items/", None),
    (200, "POST", "/items/", "/items/", {"content": '{"title": "Towel"}'}),
    (200, "GET", "/items/1", "/items/{item_id}", None),
    (200, "HEAD", "/items/1", "/items/{item_id}", None),
    (304, "GET", "/items/1", "/items/{item_id}", {"headers": {"If-None-Match": "*"}}),
    (200, "GET", "/health/live", "/health/live", None),
    (200, "GET", "/docs", "/docs", None),
    (200, "GET", "/openapi.json", "/openapi.json", None),
    (200, "GET", "/static-offline-docs/swagger-ui.css", "/static-offline-docs", None),
    (404, "GET", "/static-offline-docs/nothing", "/static-offline-docs", None),
    (307, "GET", "/users", "-", None),
    (400, "POST", "/items/", "/items/", {"content": b"\xff"}),
    (403, "POST", "/items/", "-", {"headers": {"Origin": "https://evil.example"}}),
    (404, "GET", "/users/99", "/users/{user_id}", None),
    (404, "GET", "/nothing", "-", None),
    (405, "PUT", "/users/1", "/users/{user_id}", None),
    (405, "PUT", "/items/batch", "/items/batch", None),
    (413, "POST", "/items/", "-", {"content": "x" * 1_100_000}),
    (415, "POST", "/items/", "-", {"headers": {"Content-Encoding": "gzip"}}),
    (421, "GET", "/users/1", "-", {"headers": {"Host": "evil.example"}}),
    (422, "GET", "/users/none", "/users/{user_id}", None),
    (422, "POST", "/users/", "/users/", {"content": "{}"}),
    (500, "POST", "/users/", "/users/", {"content": '{"email": "a@example.com", "password": "wubbalubba"}'}),
]
"""The status of the answer, the method, the path, its route, and what else is sent."""


class BrokenHasher:
    """Fails as nobody foresaw."""

    def hash(self, password: str) -> str:
        raise RuntimeError(f"cannot hash {password}")


@pytest.fixture
def app() -> FastAPI:
    container = container_for("memory://")
    container.hasher.override(BrokenHasher())
    return create_app(container)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, follow_redirects=False, raise_server_exceptions=False) as client:
        client.post("/items/", json={"title": "Towel"})
        yield client


def ask(client: TestClient, method: str, path: str, sent: Any) -> Response:
    more: dict[str, Any] = {"headers": {}} | (sent or {})
    more["headers"] = {"Content-Type": "application/json", "X-Request-ID": "ours"} | more["headers"]
    return client.request(method, path, **more)


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What the log says of requests since it was last asked."""
    found = [LINE.fullmatch(line) for line in capsys.readouterr().err.splitlines()]
    return [line.groupdict() for line in found if line]


@pytest.mark.parametrize(("status", "method", "path", "route", "sent"), REQUESTS)
def test_every_response_has_a_request_id_and_is_not_stored(
    client: TestClient, status: int, method: str, path: str, route: str, sent: Any
) -> None:
    answer = ask(client, method, path, sent)
    assert answer.status_code == status
    assert answer.headers.get_list("X-Request-ID") == ["ours"]
    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
    kept = None if route == "/static-offline-docs" else "no-store"
    assert answer.headers.get("Cache-Control") == kept
    if status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["request_id"] == "ours"


@pytest.mark.parametrize(("status", "method", "path", "route", "sent"), REQUESTS)
def test_the_log_names_the_route_and_not_the_path(
    client: TestClient,
    capsys: pytest.CaptureFixture[str],
    status: int,
    method: str,
    path: str,
    route: str,
    sent: Any,
) -> None:
    logged(capsys)
    ask(client, method, path, sent)
    expected = {"method": method, "route": route, "status": str(status)}
    assert logged(capsys) == [expected | {"aborted": None, "client": "testclient", "id": "ours"}]


@pytest.mark.parametrize(
    "id", ["a", "x" * 128, "0190163d-8694-739b-aea5-966c26f8ad91", "Root=1-67891233-abcdef/7~b:c+d=", "req_1.2"]
)
def test_a_valid_request_id_is_used(client: TestClient, id: str) -> None:
    answer = client.get("/users/99", headers={"X-Request-ID": id})
    assert answer.headers["X-Request-ID"] == id
    assert answer.json()["request_id"] == id


@pytest.mark.parametrize("id", [b"", b" ", b"x" * 129, b"a b", b"a,b", b'a"b', b"a\\b", b"<", b"\xff", b"a\tb"])
def test_an_invalid_request_id_is_replaced_and_not_repeated(client: TestClient, id: bytes) -> None:
    answer = client.get("/users/99", headers=[(b"X-Request-ID", id)])
    assert MADE.fullmatch(answer.headers["X-Request-ID"])
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


def test_requests_without_an_id_get_different_ones(client: TestClient) -> None:
    ids = {client.get("/health/live").headers["X-Request-ID"] for _ in range(100)}
    assert len(ids) == 100
    assert all(map(MADE.fullmatch, ids))


def test_a_503_has_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(create_app(container_for(f"postgresql://rick:s3cret@127.0.0.1:{free_port()}/none"))) as client:
        answer = client.get("/users/1", headers={"X-Request-ID": "ours"})
    assert expect_problem(answer, 503, "database-unavailable")["request_id"] == "ours"


def test_log_records_of_a_use_case_have_the_request_id(app: FastAPI) -> None:
    class TalkativeHasher:
        """Says what it does."""

        def hash(self, password: str) -> str:
            logging.getLogger("belongings").warning("hashing")
            return "hash"

    app.state.container.hasher.override(TalkativeHasher())
    handler = logging.StreamHandler(StringIO())
    handler.setFormatter(JsonFormatter())
    logging.getLogger("belongings").addHandler(handler)
    with TestClient(app, headers={"X-Request-ID": "ours"}, raise_server_exceptions=False) as client:
        client.post("/users/", json={"email": "a@example.com", "password": "wubbalubba"})
    logging.getLogger("belongings").removeHandler(handler)
    told = json.loads(handler.stream.getvalue())
    assert (told["message"], told["request_id"]) == ("hashing", "ours")


def test_an_unexpected_error_is_logged_once_with_its_traceback(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/users/", json={"email": "a@example.com", "password": "wubbalubba"})
    errors = [record for record in caplog.records if record.exc_info]
    assert [record.getMessage() for record in errors] == ["unexpected error"]


def test_an_error_after_the_start_of_a_response_is_logged_and_ends_the_response(
    app: FastAPI, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    class HalfAnAnswer:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError("half-way")

    app.router.routes.insert(0, Route("/half", HalfAnAnswer()))
    assert [message["type"] for message in talk(app, "/half", listen_for([]))] == ["http.response.start"]
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["unexpected error"]
    assert [line["route"] for line in logged(capsys)] == ["/half"]


def test_a_client_that_disconnects_before_the_response_is_logged_as_aborted(
    app: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    class SlowAnswer:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(0.02)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    app.router.routes.insert(0, Route("/slow", SlowAnswer()))
    talk(app, "/slow", listen_for([{"type": "http.disconnect"}]))
    talk(app, "/slow", listen_for([{"type": "http.request", "body": b"", "more_body": False}]))
    talk(app, "/slow", listen_for([]))
    assert [(line["status"], line["aborted"]) for line in logged(capsys)] == [
        ("200", " aborted"),
        ("200", None),
        ("200", None),
    ]


def test_a_client_that_disconnects_within_the_body_is_logged_as_aborted(
    app: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = {"type": "http.request", "body": b'{"title": ', "more_body": True}
    talk(app, "/items/", listen_for([begun, {"type": "http.disconnect"}, {"type": "http.disconnect"}]), "POST")
    assert [(line["status"], line["aborted"]) for line in logged(capsys)] == [("400", " aborted")]


def test_a_cancelled_request_is_logged_without_a_status(app: FastAPI, capsys: pytest.CaptureFixture[str]) -> None:
    async def ask_and_give_up() -> None:
        asking = asyncio.ensure_future(app(scope("/items/", "POST"), listen_for([]), silently))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(ask_and_give_up())
    assert [(line["status"], line["aborted"]) for line in logged(capsys)] == [("-", " aborted")]


def test_an_unknown_method_is_not_logged(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.request("PASSWORD", "/items/")
    assert [line["method"] for line in logged(capsys)] == ["OTHER"]


@pytest.mark.parametrize("format", ["text", "json"])
def test_nothing_that_the_client_sent_is_logged(capsys: pytest.CaptureFixture[str], format: Format) -> None:
    container = build_container(Settings(database_url=SecretStr("memory://"), log_format=format))
    with TestClient(create_app(container), raise_server_exceptions=False) as client:
        client.get("/items/marker?q=marker&marker=1", headers={"Authorization": "marker", "X-Request-ID": "mark er"})
        client.get("/marker/%0amarker")
        client.post("/users/", json={"email": "marker@example.com", "password": "marker marker"})
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 3
    assert "marker" not in told


def test_in_json_every_log_line_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    container = build_container(Settings(database_url=SecretStr("memory://"), log_format="json"))
    app = create_app(container)
    with TestClient(app, client=('"\n\x1b[31m', 1)) as client:
        client.get("/users/1", headers={"X-Request-ID": "ours"})
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told.pop("duration_ms") > 0
    assert told == {
        "level": "INFO",
        "logger": "belongings.requests",
        "message": "GET /users/{user_id}",
        "method": "GET",
        "route": "/users/{user_id}",
        "status": 404,
        "aborted": False,
        "client": '"\n\x1b[31m',
        "request_id": "ours",
    }


def test_no_client_address_breaks_a_log_line(app: FastAPI, capsys: pytest.CaptureFixture[str]) -> None:
    with TestClient(app, client=("\n\x1b[31m", 1)) as client:
        client.get("/health/live")
    assert [line["client"] for line in logged(capsys)] == [r"'\n\x1b[31m'"]


def test_the_access_log_can_be_turned_off(capsys: pytest.CaptureFixture[str]) -> None:
    container = build_container(Settings(database_url=SecretStr("memory://"), log_requests=False))
    with TestClient(create_app(container), raise_server_exceptions=False) as client:
        assert client.get("/users/1").headers["X-Request-ID"]
    assert capsys.readouterr().err == ""


def talk(app: FastAPI, path: str, receive: Receive, method: str = "GET") -> list[Message]:
    """What the application sends to this client, without a server in between, whether or not it raises then."""
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    with suppress(RuntimeError):
        asyncio.run(app(scope(path, method), receive, send))
    return said


def scope(path: str, method: str) -> dict[str, Any]:
    headers = [(b"content-type", b"application/json")]
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}


def listen_for(messages: list[Message]) -> Receive:
    """These messages, and then none for ever."""
    coming = iter(messages)

    async def receive() -> Message:
        for message in coming:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    return receive


async def silently(message: Message) -> None:
    """Send nothing."""
