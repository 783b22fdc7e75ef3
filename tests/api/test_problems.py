"""Every error is a problem (RFC 9457), and reveals nothing internal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from domain.errors import AlreadyTaken, EmailTaken, ItemNotFound
from entrypoints.api.app import create_app
from entrypoints.api.http.problems import status_of
from entrypoints.container import Container, build_container
from entrypoints.settings import Settings
from tests.api.problems import expect_problem
from tests.conftest import Databases, container_for
from tests.databases import free_port

in_memory = pytest.mark.parametrize("container", ["memory"], indirect=True)

REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "/users/", None),
    ("GET", "/users/1", None),
    ("GET", "/users/1/items/", None),
    ("GET", "/items/", None),
    ("GET", "/items/1", None),
    ("POST", "/users/", {"email": "rick@example.com", "password": "wubbalubba"}),
    ("POST", "/users/1/items/", {"title": "Towel"}),
    ("POST", "/items/", {"title": "Towel"}),
]
"""One request for each kind of operation that needs the database."""


def test_the_status_and_type_of_an_error_follow_from_its_class() -> None:
    assert status_of(AlreadyTaken) == (409, "already-taken")
    assert status_of(ItemNotFound) == (404, "item-not-found")
    assert status_of(EmailTaken) == (400, "email-taken")


@in_memory
@pytest.mark.parametrize("path", ["/", "/nothing", "/users/1/nothing", "/items/1/2", "/users//items/", "//users/"])
def test_an_unknown_path_is_a_404(client: TestClient, path: str) -> None:
    assert expect_problem(client.get(f"http://testserver{path}"), 404)["detail"] == "Not Found"


@in_memory
def test_methods_that_are_not_documented_are_not_allowed(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        documented = {method.upper() for method in operations}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "NONSENSE"} - documented:
            response = client.request(method, path.format(user_id=1, item_id=1))
            expect_problem(response, 405)
            assert set(response.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == documented


@in_memory
@pytest.mark.parametrize("path", ["/docs", "/users/?limit=1", "/items/", "/items/7", "/health/live", "/nothing"])
def test_head_is_get_without_the_content(client: TestClient, path: str) -> None:
    get, head = (client.request(method, path, headers={"X-Request-ID": "ours"}) for method in ("GET", "HEAD"))
    assert (head.status_code, head.headers, head.content) == (get.status_code, get.headers, b"")


@in_memory
def test_head_changes_nothing(client: TestClient) -> None:
    assert "HEAD" in client.put("/items/").headers["Allow"]
    client.head("/items/")
    assert client.get("/items/").json() == []


@in_memory
@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/static-offline-docs/swagger-ui.css"])
def test_the_documentation_can_only_be_read(client: TestClient, path: str) -> None:
    response = client.put(path)
    expect_problem(response, 405)
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.fixture(params=["postgresql", "mariadb"])
def client_without_database(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    """A client of an API whose database server is not running."""
    url = f"{request.param}://rick:s3cret@127.0.0.1:{free_port()}/belongings"
    with TestClient(create_app(container_for(url))) as client:
        yield client


@pytest.mark.parametrize(("method", "path", "body"), [*REQUESTS, ("GET", "/health/ready", None)])
def test_without_a_database_every_response_is_a_503(
    client_without_database: TestClient, method: str, path: str, body: object
) -> None:
    response = client_without_database.request(method, path, json=body)
    problem = expect_problem(response, 503, "database-unavailable")
    assert problem["detail"] == "The database is temporarily unavailable"
    assert int(response.headers["Retry-After"]) >= 1
    assert not any(word in response.text for word in ("s3cret", "127.0.0.1", "refused"))


def test_without_a_database_the_process_is_live_and_validates_requests(client_without_database: TestClient) -> None:
    assert client_without_database.get("/health/live").text == '{"status":"ok"}'
    expect_problem(client_without_database.get("/users/0"), 422, "invalid-request")
    expect_problem(client_without_database.get("/nothing"), 404)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_until_the_database_is_migrated_every_response_is_a_503(databases: Databases, kind: str) -> None:
    container = container_for(databases.empty(kind))
    with TestClient(create_app(container), raise_server_exceptions=False) as client:
        ready = expect_problem(client.get("/health/ready"), 503, "schema-mismatch")
        assert "belongings migrate" in ready["detail"]
        responses = [client.request(method, path, json=body) for method, path, body in REQUESTS]
        assert [response.status_code for response in responses] == [503] * len(REQUESTS)
        assert all(int(response.headers["Retry-After"]) >= 1 for response in responses)
        container.store().migrate()
        assert client.get("/health/ready").text == '{"status":"ok"}'
        assert client.post("/items/", json={"title": "Towel"}).status_code == 200


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_request_that_waits_too_long_for_another_writer_is_a_503(tmp_path: Path, kind: str) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path}/busy.db"
    container = build_container(Settings(database_url=SecretStr(url), pool_wait=0.5))
    with TestClient(create_app(container)) as client:
        item = client.post("/items/", json={"title": "Towel"}).json()
        with container.unit_of_work() as uow:
            uow.items.get(item["id"])
            response = client.post("/items/", json={"title": "Sieve"})
            expect_problem(response, 503, "database-unavailable")
            assert int(response.headers["Retry-After"]) >= 1
            assert client.get("/items/").json() == [item]
        assert client.post("/items/", json={"title": "Sieve"}).status_code == 200


class BrokenHasher:
    """Raises an unexpected error."""

    def hash(self, password: str) -> str:
        raise RuntimeError(f"cannot hash {password}")


def test_an_unexpected_error_is_a_500_that_reveals_nothing(container: Container) -> None:
    app = create_app(container)
    with container.hasher.override(BrokenHasher()), TestClient(app, raise_server_exceptions=False) as client:
        response = client.post("/users/", json={"email": "rick@example.com", "password": "wubbalubba"})
        expect_problem(response, 500)
        assert not any(word in response.text for word in ("wubbalubba", "hash", "RuntimeError", "Traceback"))
        assert client.get("/users/").json() == []
