"""Cross-site requests and DNS rebinding: what pages of other sites can read, change and embed."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from entrypoints.api.app import create_app
from entrypoints.container import build_container
from entrypoints.settings import Settings
from tests.api.problems import expect_problem

TOWEL = {"title": "Towel"}
PAGE = "https://app.example.com"
OURS = "http://localhost:8000"

SERVED = [
    "localhost",
    "LOCALHOST:8000",
    "localhost.",
    "localhost.:8000",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.1.2.3",
    "[::1]",
    "[::1]:8000",
    "192.168.1.7:8000",
    "[fe80::1]:8000",
    "[::ffff:127.0.0.1]",
    "api.example.com",
    "API.Example.com.:443",
]
NOT_SERVED = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "evillocalhost",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io",
    "sub.api.example.com",
    "example.com",
    "0x7f000001",
    "127.1",
    "2130706433",
    "[::1].evil.example",
    "[evil.example]",
    "[::1",
    "::1",
    "localhost:8000:8000",
    "localhost:evil.example",
    "localhost..",
    ".",
    ":8000",
    "*",
    "null",
    "evil.example@localhost",
    "x" * 60_000,
]


def client_of(**settings: object) -> TestClient:
    given = {"database_url": "memory://", "hosts": "api.example.com"} | settings
    return TestClient(create_app(build_container(Settings.model_validate(given))), base_url=OURS)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of() as client:
        yield client


@pytest.mark.parametrize("host", SERVED)
def test_localhost_ip_addresses_and_configured_hosts_are_served(client: TestClient, host: str) -> None:
    assert client.get("/items/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", NOT_SERVED, ids=lambda host: host[:30])
def test_unknown_hosts_are_refused(client: TestClient, host: str) -> None:
    before = client.get("/items/").json()
    rebound = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin", "X-Request-ID": "ours"}
    for method, path in (("GET", "/items/"), ("POST", "/items/"), ("GET", "/docs"), ("GET", "/nothing")):
        response = client.request(method, path, json=TOWEL, headers=rebound)
        expect_problem(response, 421)
        assert host not in response.text
        assert response.headers["X-Request-ID"] == "ours"
        assert response.headers["Cache-Control"] == "no-store"
    assert client.get("/items/").json() == before


def test_health_is_served_under_any_host(client: TestClient) -> None:
    for path in ("/health/live", "/health/ready"):
        assert client.get(path, headers={"Host": "backend-7"}).text == '{"status":"ok"}'


def test_by_default_only_localhost_and_ip_addresses_are_served() -> None:
    with client_of(hosts=None) as client:
        assert client.get("/items/", headers={"Host": "localhost"}).status_code == 200
        expect_problem(client.get("/items/", headers={"Host": "api.example.com"}), 421)


def test_all_hosts_can_be_allowed() -> None:
    with client_of(hosts="*") as client:
        for host in ("evil.example", "[::1"):
            assert client.get("/items/", headers={"Host": host}).status_code == 200


def test_proxy_headers_do_not_change_the_host(client: TestClient) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
    expect_problem(client.get("/items/", headers=headers), 421)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "same-site", "Origin": OURS},
        {"Sec-Fetch-Site": "", "Origin": OURS},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost"},
        {"Origin": "https://localhost:8000"},
        {"Origin": "localhost:8000"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "http://localhost:8000.evil.example"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/items/"), ("PATCH", "/items/1"), ("DELETE", "/items/1")])
def test_cross_origin_requests_with_unsafe_methods_are_refused(
    client: TestClient, method: str, path: str, headers: dict[str, str]
) -> None:
    before = client.get("/items/").json()
    response = client.request(method, path, json=TOWEL, headers=headers)
    expect_problem(response, 403)
    assert "evil" not in response.text
    assert client.get("/items/").json() == before


@pytest.mark.parametrize("origin", ["", "null", "http://", "http://localhost"])
def test_no_origin_is_that_of_a_request_without_a_host(client: TestClient, origin: str) -> None:
    for host in ("", None):
        request = client.build_request("POST", "/items/", json=TOWEL, headers={"Origin": origin})
        request.headers.pop("Host") if host is None else request.headers.update({"Host": host})
        expect_problem(client.send(request), 403)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Sec-Fetch-Site", ("cross-site", "same-origin")),
        ("Sec-Fetch-Site", ("same-origin", "cross-site")),
        ("Origin", ("https://evil.example", OURS)),
        ("Origin", (OURS, "https://evil.example")),
    ],
)
def test_a_repeated_header_cannot_hide_another_origin(client: TestClient, name: str, values: tuple[str, str]) -> None:
    expect_problem(client.post("/items/", json=TOWEL, headers=[(name, value) for value in values]), 403)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": OURS},
        {"Origin": "http://LOCALHOST:8000"},
        {"Sec-Fetch-Site": "same-origin", "Origin": OURS},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind-a-proxy.example"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_same_origin_requests_and_clients_other_than_browsers_are_served(
    client: TestClient, headers: dict[str, str]
) -> None:
    made = client.post("/items/", json=TOWEL, headers=headers)
    assert made.status_code == 200
    assert client.delete(f"/items/{made.json()['id']}", headers=headers).status_code == 200


def test_a_page_without_tls_is_of_another_origin_than_a_service_with_tls() -> None:
    with client_of() as client:
        service = TestClient(client.app, base_url="https://localhost:8000")
        expect_problem(service.post("/items/", json=TOWEL, headers={"Origin": OURS}), 403)
        assert service.post("/items/", json=TOWEL, headers={"Origin": "https://localhost:8000"}).status_code == 200


def test_a_trusted_proxy_says_whether_the_service_has_tls() -> None:
    with client_of() as client:
        service = TestClient(ProxyHeadersMiddleware(client.app, "testclient"), base_url=OURS)  # type: ignore[arg-type]  # httpx
        forwarded = {"X-Forwarded-Proto": "https"}
        expect_problem(service.post("/items/", json=TOWEL, headers=forwarded | {"Origin": OURS}), 403)
        own = forwarded | {"Origin": "https://localhost:8000"}
        assert service.post("/items/", json=TOWEL, headers=own).status_code == 200
        expect_problem(client.post("/items/", json=TOWEL, headers=own), 403)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_cross_origin_requests_with_safe_methods_are_served(client: TestClient, method: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    response = client.request(method, "/items/", headers=headers)
    assert response.is_success
    assert "Access-Control-Allow-Origin" not in response.headers


def test_an_allowed_origin_can_send_unsafe_requests_and_read_errors() -> None:
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    with client_of(cors_origins=PAGE) as client:
        assert client.post("/items/", json=TOWEL, headers=cross_site | {"Origin": PAGE}).status_code == 200
        expect_problem(client.post("/items/", json=TOWEL, headers=cross_site), 403)
        expect_problem(client.post("/items/", json=TOWEL, headers=cross_site | {"Origin": f"{PAGE}:444"}), 403)
        misdirected = client.get("/items/", headers={"Host": "evil.example", "Origin": PAGE})
        expect_problem(misdirected, 421)
        assert misdirected.headers["Access-Control-Allow-Origin"] == PAGE


@pytest.mark.parametrize("origin", [PAGE, "null"])
def test_all_origins_can_be_allowed(origin: str) -> None:
    with client_of(cors_origins="*") as client:
        headers = {"Sec-Fetch-Site": "cross-site", "Origin": origin}
        assert client.post("/items/", json=TOWEL, headers=headers).status_code == 200
