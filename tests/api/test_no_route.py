"""Paths and methods without a route."""

from collections.abc import Iterator

import anyio
import pytest
from fastapi.testclient import TestClient

from entrypoints.api.app import create_app
from tests.api.problems import expect_problem
from tests.conftest import container_for
from tests.serving import served


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(container_for("memory://")), follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/users", "/users/"),
        ("/users/1/", "/users/1"),
        ("/users/1/items", "/users/1/items/"),
        ("/items/?limit=1", None),
        ("/items?limit=1&q=a%20b%26c", "/items/?limit=1&q=a%20b%26c"),
        ("/items?q=%FF%C3%A9", "/items/?q=%FF%C3%A9"),
        ("/docs/", "/docs"),
        ("/static-offline-docs", "/static-offline-docs/"),
        ("/users/a%0D%0AInjected:%20b%3Fc%23d/", "/users/a%0D%0AInjected%3A%20b%3Fc%23d"),
        ("/users/%C3%A9/", "/users/%C3%A9"),
        ("/users//", None),
        ("/nothing/", None),
    ],
)
@pytest.mark.parametrize("root_path", ["", "/belongings"])
def test_a_wrong_trailing_slash_redirects_to_the_right_path_on_the_same_server(
    client: TestClient, root_path: str, path: str, location: str | None
) -> None:
    behind_a_proxy = TestClient(client.app, root_path=root_path, follow_redirects=False)
    response = behind_a_proxy.get(root_path + path)
    assert (response.status_code == 307) == (location is not None)
    assert response.headers.get("Location") == (location and root_path + location)


def test_a_redirect_never_leads_to_another_server(client: TestClient) -> None:
    for path in ("//evil.example/users", "//evil.example/users/1/", "//users", "/\\evil.example/"):
        response = client.get(f"http://testserver{path}")
        expect_problem(response, 404)
        assert "Location" not in response.headers


def test_a_redirect_keeps_the_method_and_the_body(client: TestClient) -> None:
    redirected = client.post("/items", json={"title": "Towel"})
    assert redirected.status_code == 307
    assert client.post(redirected.headers["Location"], json={"title": "Towel"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "DELETE, GET, HEAD, OPTIONS, PATCH, POST"),
        ("/health/ready", "GET, HEAD, OPTIONS"),
        ("/users/", "GET, HEAD, OPTIONS, POST"),
        ("/users/999", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/items/batch", "OPTIONS, POST"),
        ("/docs", "GET, HEAD, OPTIONS"),
        ("/metrics", "GET, HEAD, OPTIONS"),
        ("/static-offline-docs/favicon.png", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_lists_the_methods(client: TestClient, path: str, allowed: str) -> None:
    response = client.options(path)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize("root_path", ["", "/belongings"])
def test_load_balancers_can_request_the_whole_server_or_send_no_host(root_path: str) -> None:
    requests = {
        b"OPTIONS / HTTP/1.0\r\n\r\n": b"HTTP/1.1 204 ",
        b"OPTIONS * HTTP/1.1\r\nHost: backend-7\r\nConnection: close\r\n\r\n": b"HTTP/1.1 421 ",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n": b"HTTP/1.1 204 ",
        b"OPTIONS /health/ready HTTP/1.1\r\nHost: backend-7\r\nConnection: close\r\n\r\n": b"HTTP/1.1 204 ",
        b"GET /items/ HTTP/1.0\r\n\r\n": b"HTTP/1.1 200 ",
    }

    async def send_all() -> list[bytes]:
        async with served(create_app(container_for("memory://")), root_path=root_path) as port:
            return [await send(port, request) for request in requests]

    assert [response[:13] for response in anyio.run(send_all)] == list(requests.values())


async def send(port: int, request: bytes) -> bytes:
    """Everything that the service sends until it closes the connection."""
    async with await anyio.connect_tcp("127.0.0.1", port) as connection:
        await connection.send(request)
        return b"".join([piece async for piece in connection])


def test_options_of_an_unknown_path_is_a_404(client: TestClient) -> None:
    expect_problem(client.options("/nothing"), 404)


def test_the_root_has_no_method_but_options(client: TestClient) -> None:
    expect_problem(client.get("/"), 404)
    expect_problem(client.post("/"), 404)
