"""Request ids, common response headers and the access log."""

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
from service_layer.errors import Busy, StorageUnavailable
from tests.api.problems import expect_problem
from tests.conftest import container_for
from tests.databases import free_port

GENERATED_ID = re.compile(r"[0-9a-f]{24}")
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
"""Status, method, path, route, and further arguments of the request."""


class BrokenHasher:
    """Raises an unexpected error."""

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


def send_request(client: TestClient, method: str, path: str, sent: Any) -> Response:
    more: dict[str, Any] = {"headers": {}} | (sent or {})
    more["headers"] = {"Content-Type": "application/json", "X-Request-ID": "ours"} | more["headers"]
    return client.request(method, path, **more)


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines of the access log since the last call."""
    found = [LINE.fullmatch(line) for line in capsys.readouterr().err.splitlines()]
    return [line.groupdict() for line in found if line]


@pytest.mark.parametrize(("status", "method", "path", "route", "sent"), REQUESTS)
def test_every_response_has_a_request_id_and_is_neither_stored_nor_embedded(
    client: TestClient, status: int, method: str, path: str, route: str, sent: Any
) -> None:
    response = send_request(client, method, path, sent)
    assert response.status_code == status
    assert response.headers.get_list("X-Request-ID") == ["ours"]
    assert response.headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert response.headers.get_list("X-Frame-Options") == ["DENY"]
    assert response.headers.get_list("Cross-Origin-Resource-Policy") == ["same-origin"]
    kept = None if route == "/static-offline-docs" else "no-store"
    assert response.headers.get("Cache-Control") == kept
    if status >= 400:
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["request_id"] == "ours"


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
    send_request(client, method, path, sent)
    expected = {"method": method, "route": route, "status": str(status)}
    assert logged(capsys) == [expected | {"aborted": None, "client": "testclient", "id": "ours"}]


@pytest.mark.parametrize(
    "id", ["a", "x" * 128, "0190163d-8694-739b-aea5-966c26f8ad91", "Root=1-67891233-abcdef/7~b:c+d=", "req_1.2"]
)
def test_a_valid_request_id_is_used(client: TestClient, id: str) -> None:
    response = client.get("/users/99", headers={"X-Request-ID": id})
    assert response.headers["X-Request-ID"] == id
    assert response.json()["request_id"] == id


@pytest.mark.parametrize("id", [b"", b" ", b"x" * 129, b"a b", b"a,b", b'a"b', b"a\\b", b"<", b"\xff", b"a\tb"])
def test_an_invalid_request_id_is_replaced_and_not_repeated(client: TestClient, id: bytes) -> None:
    response = client.get("/users/99", headers=[(b"X-Request-ID", id)])
    assert GENERATED_ID.fullmatch(response.headers["X-Request-ID"])
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


def test_requests_without_an_id_get_different_ones(client: TestClient) -> None:
    ids = {client.get("/health/live").headers["X-Request-ID"] for _ in range(100)}
    assert len(ids) == 100
    assert all(map(GENERATED_ID.fullmatch, ids))


def test_a_503_has_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(create_app(container_for(f"postgresql://rick:s3cret@127.0.0.1:{free_port()}/none"))) as client:
        response = client.get("/users/1", headers={"X-Request-ID": "ours"})
    assert expect_problem(response, 503, "database-unavailable")["request_id"] == "ours"


@pytest.mark.parametrize(
    ("error", "level"),
    [(Busy("no thread was free within 3 s"), "WARNING"), (StorageUnavailable("connection refused"), "ERROR")],
)
def test_a_busy_service_is_a_warning_and_a_database_that_is_away_an_error(
    app: FastAPI, caplog: pytest.LogCaptureFixture, error: StorageUnavailable, level: str
) -> None:
    async def fail() -> None:
        raise error

    app.add_api_route("/fails", fail)
    with TestClient(app) as client:
        expect_problem(client.get("/fails"), 503, "database-unavailable")
    message = f"The database is temporarily unavailable: {error.reason}"
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [(level, message)]


def test_log_records_of_a_use_case_have_the_request_id(app: FastAPI) -> None:
    class LoggingHasher:
        """Logs a warning."""

        def hash(self, password: str) -> str:
            logging.getLogger("belongings").warning("hashing")
            return "hash"

    app.state.container.hasher.override(LoggingHasher())
    handler = logging.StreamHandler(StringIO())
    handler.setFormatter(JsonFormatter())
    logging.getLogger("belongings").addHandler(handler)
    with TestClient(app, headers={"X-Request-ID": "ours"}, raise_server_exceptions=False) as client:
        client.post("/users/", json={"email": "a@example.com", "password": "wubbalubba"})
    logging.getLogger("belongings").removeHandler(handler)
    output = json.loads(handler.stream.getvalue())
    assert (output["message"], output["request_id"]) == ("hashing", "ours")


def test_an_unexpected_error_is_logged_once_with_its_traceback(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/users/", json={"email": "a@example.com", "password": "wubbalubba"})
    errors = [record for record in caplog.records if record.exc_info]
    assert [record.getMessage() for record in errors] == ["unexpected error"]


def test_an_error_after_the_start_of_a_response_is_logged_and_ends_the_response(
    app: FastAPI, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    class IncompleteResponse:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise RuntimeError("half-way")

    app.router.routes.insert(0, Route("/half", IncompleteResponse()))
    messages = call(app, "/half", receive_messages([]))
    assert [message["type"] for message in messages] == ["http.response.start", "http.response.body"]
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["unexpected error"]
    assert [line["route"] for line in logged(capsys)] == ["/half"]


def test_a_client_that_disconnects_before_the_response_is_logged_as_aborted(
    app: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    class SlowResponse:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(0.02)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    app.router.routes.insert(0, Route("/slow", SlowResponse()))
    call(app, "/slow", receive_messages([{"type": "http.disconnect"}]))
    call(app, "/slow", receive_messages([{"type": "http.request", "body": b"", "more_body": False}]))
    call(app, "/slow", receive_messages([]))
    assert [(line["status"], line["aborted"]) for line in logged(capsys)] == [
        ("200", " aborted"),
        ("200", None),
        ("200", None),
    ]


def test_a_client_that_disconnects_within_the_body_is_logged_as_aborted(
    app: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    first_part = {"type": "http.request", "body": b'{"title": ', "more_body": True}
    call(
        app, "/items/", receive_messages([first_part, {"type": "http.disconnect"}, {"type": "http.disconnect"}]), "POST"
    )
    assert [(line["status"], line["aborted"]) for line in logged(capsys)] == [("400", " aborted")]


def test_a_cancelled_request_is_logged_without_a_status(app: FastAPI, capsys: pytest.CaptureFixture[str]) -> None:
    async def cancel_request() -> None:
        task = asyncio.ensure_future(app(scope("/items/", "POST"), receive_messages([]), discard))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_request())
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
    output = capsys.readouterr().err
    assert len(output.splitlines()) == 3
    assert "marker" not in output


def test_in_json_every_log_line_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    container = build_container(Settings(database_url=SecretStr("memory://"), log_format="json"))
    app = create_app(container)
    with TestClient(app, client=('"\n\x1b[31m', 1)) as client:
        client.get("/users/1", headers={"X-Request-ID": "ours"})
    (line,) = capsys.readouterr().err.splitlines()
    output = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", output.pop("time"))
    assert output.pop("duration_ms") > 0
    assert output == {
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


def call(app: FastAPI, path: str, receive: Receive, method: str = "GET") -> list[Message]:
    """The messages that the application sends to this client. Exceptions are suppressed."""
    sent_messages: list[Message] = []

    async def send(message: Message) -> None:
        sent_messages.append(message)

    with suppress(RuntimeError):
        asyncio.run(app(scope(path, method), receive, send))
    return sent_messages


def scope(path: str, method: str) -> dict[str, Any]:
    headers = [(b"content-type", b"application/json")]
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}


def receive_messages(messages: list[Message]) -> Receive:
    """Receives these messages, then waits forever."""
    remaining = iter(messages)

    async def receive() -> Message:
        for message in remaining:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    return receive


async def discard(message: Message) -> None:
    """Ignore what the application sends."""
