"""Requests from pages of other origins (CORS)."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from entrypoints.api.app import create_app
from entrypoints.container import build_container
from entrypoints.settings import Settings

PAGE = "https://app.example.com"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
USER = {"email": "rick@example.com", "password": "wubbalubba"}


def client_of(**settings: object) -> TestClient:
    return TestClient(create_app(build_container(Settings(database_url="memory://", **settings))))  # type: ignore[arg-type]  # by name


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of(cors_origins=PAGE) as client:
        yield client


def test_by_default_no_origin_is_allowed() -> None:
    with client_of() as client:
        responses = [client.get("/users/", headers={"Origin": PAGE}), client.options("/users/1", headers=PREFLIGHT)]
    assert [response.status_code for response in responses] == [200, 204]
    assert [name for response in responses for name in response.headers if "access-control" in name] == []


def test_an_allowed_origin_can_send_and_read_the_headers_of_the_api(client: TestClient) -> None:
    preflight = client.options("/users/1", headers=PREFLIGHT)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    response = client.post("/items/", json={"title": "Towel"}, headers={"Origin": PAGE})
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in response.headers["Vary"]
    shown = response.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "Link", "Location", "Retry-After", "X-Request-ID", "X-Total-Count"} <= set(shown)
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_an_allowed_origin_can_read_errors(client: TestClient) -> None:
    missing = client.get("/users/1", headers={"Origin": PAGE})
    too_large = client.post("/users/", content=bytes(2**20 + 1), headers={"Origin": PAGE})
    assert [response.status_code for response in (missing, too_large)] == [404, 413]
    assert [response.headers["Access-Control-Allow-Origin"] for response in (missing, too_large)] == [PAGE] * 2


def test_an_allowed_origin_can_read_a_500_and_its_request_id() -> None:
    class BrokenHasher:
        """Raises an unexpected error."""

        def hash(self, password: str) -> str:
            raise RuntimeError

    container = build_container(Settings(database_url=SecretStr("memory://"), cors_origins=(PAGE,)))
    container.hasher.override(BrokenHasher())
    with TestClient(create_app(container), raise_server_exceptions=False) as client:
        broken = client.post("/users/", json=USER, headers={"Origin": PAGE, "X-Request-ID": "ours"})
        elsewhere = client.post("/users/", json=USER, headers={"Origin": "http://testserver"})
    assert [broken.status_code, elsewhere.status_code] == [500, 500]
    assert broken.headers["Access-Control-Allow-Origin"] == PAGE
    assert "X-Request-ID" in broken.headers["Access-Control-Expose-Headers"]
    assert broken.headers.get_list("X-Request-ID") == [broken.json()["request_id"]] == ["ours"]
    assert "Access-Control-Allow-Origin" not in elsewhere.headers


@pytest.mark.parametrize(
    "other",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Access-Control-Request-Method": "PUT"},
        {"Access-Control-Request-Headers": "x-anything"},
    ],
)
def test_a_refused_preflight_is_a_problem(client: TestClient, other: dict[str, str]) -> None:
    refused = client.options("/users/1", headers=PREFLIGHT | other)
    assert refused.status_code == 400
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["detail"].startswith("Disallowed CORS ")
    assert refused.headers["Vary"].startswith("Origin")


def test_responses_to_other_origins_have_no_cors_headers(client: TestClient) -> None:
    response = client.get("/users/", headers={"Origin": "https://evil.example.com"})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_all_origins_can_be_allowed() -> None:
    with client_of(cors_origins="*") as client:
        assert client.get("/users/", headers={"Origin": PAGE}).headers["Access-Control-Allow-Origin"] == "*"
