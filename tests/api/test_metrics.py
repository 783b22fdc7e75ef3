"""``/metrics``, and the settings that turn it and the documentation off."""

import re
from asyncio import create_task, gather, run, sleep
from collections.abc import Iterator
from threading import Event

import pytest
from fastapi.testclient import TestClient
from httpx2 import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from entrypoints.api import metrics
from entrypoints.api.app import create_app
from entrypoints.container import Container, build_container
from entrypoints.settings import Settings
from tests.api.problems import expect_problem

SQL_STORES = pytest.mark.parametrize("container", ["sqlite", "postgresql"], indirect=True)


def parse(text: str) -> dict[str, float]:
    """The value of each series, by name and labels."""
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.fixture
def client() -> Iterator[TestClient]:
    container = build_container(Settings(database_url=SecretStr("memory://")))
    with TestClient(create_app(container)) as client:
        yield client


def test_requests_are_counted_by_method_route_and_status(client: TestClient) -> None:
    for path in ("/users/1", "/users/2", "/users/none", "/users/", "/nothing/1", "/nothing/2?secret=1"):
        client.get(path)
    client.request("SECRET", "/items/")
    series = parse(client.get("/metrics").text)
    counted = "belongings_request_duration_seconds_count"
    assert {name.removeprefix(counted): value for name, value in series.items() if name.startswith(counted)} == {
        '{method="GET",route="/users/{user_id}",status="404"}': 2,
        '{method="GET",route="/users/{user_id}",status="422"}': 1,
        '{method="GET",route="/users/",status="200"}': 1,
        '{method="GET",route="-",status="404"}': 2,
        '{method="OTHER",route="/items/",status="405"}': 1,
    }


def test_simultaneous_requests_for_metrics_share_one_result(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded, all_are_there = [], Event()

    def encode(registry: CollectorRegistry) -> bytes:
        encoded.append(registry)
        all_are_there.wait(60)
        return b"the metrics"

    monkeypatch.setattr(metrics, "choose_encoder", lambda accept: (encode, "text/plain"))

    async def scrape() -> list[bytes]:
        async with AsyncClient(transport=ASGITransport(client.app), base_url="http://localhost") as same_loop:
            requests = [create_task(same_loop.get("/metrics")) for _ in range(20)]
            while not encoded:
                await sleep(0.001)
            for _ in range(100):
                await sleep(0)
            requests.pop().cancel()
            all_are_there.set()
            return [response.content for response in await gather(*requests)]

    assert run(scrape()) == [b"the metrics"] * 19
    assert len(encoded) == 1


def test_the_duration_of_requests_is_a_histogram(client: TestClient) -> None:
    for _ in range(3):
        client.get("/users/1")
    series = parse(client.get("/metrics").text)
    route = 'method="GET",route="/users/{user_id}",status="404"'
    assert series[f"belongings_request_duration_seconds_count{{{route}}}"] == 3
    assert 0 < series[f"belongings_request_duration_seconds_sum{{{route}}}"] < 60
    buckets = [value for name, value in series.items() if name.startswith("belongings_request_duration_seconds_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 3


def test_each_application_counts_its_own_requests(client: TestClient) -> None:
    client.get("/users/1")
    other = build_container(Settings(database_url=SecretStr("memory://")))
    with TestClient(create_app(other)) as another:
        assert "/users/" not in another.get("/metrics").text


@SQL_STORES
def test_the_use_of_connections_and_threads_is_current(container: Container) -> None:
    pools = ("reading", "scanning", "writing")
    idle = {f'belongings_connections_{what}{{pool="{pool}"}}': 0 for what in ("in_use", "waiting") for pool in pools}
    thread_pools = ("reading", "listing", "scanning", "writing", "batches", "hashing", "checking")
    idle |= {
        f'belongings_{what}{{pool="{pool}"}}': 0
        for what in ("threads_busy", "threads_waiting")
        for pool in thread_pools
    }
    idle["belongings_log_lines_dropped_total"] = 0
    with TestClient(create_app(container)) as client:
        series = parse(client.get("/metrics").text)
        assert {name: value for name, value in series.items() if "request" not in name} == idle
        with container.unit_of_work() as uow:
            assert uow.idempotency_records.get("none", now=0) is None
            series = parse(client.get("/metrics").text)
    assert series['belongings_connections_in_use{pool="writing"}'] == 1


def test_dropped_log_lines_are_counted(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for dropped in (3, 3, 5):
        monkeypatch.setattr(metrics, "dropped_lines", lambda dropped=dropped: dropped)
        assert parse(client.get("/metrics").text)["belongings_log_lines_dropped_total"] == dropped


def test_every_metric_has_a_help_text(client: TestClient) -> None:
    text = client.get("/metrics").text
    typed = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert typed == re.findall(r"^# HELP (\S+) .+\.$", text, re.MULTILINE)
    assert len(typed) == 6


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text"])
def test_the_format_is_negotiated(client: TestClient, accept: str) -> None:
    response = client.get("/metrics", headers={"Accept": accept})
    assert response.headers["Content-Type"].startswith(accept)


def test_metrics_can_only_be_read(client: TestClient) -> None:
    response = client.post("/metrics")
    expect_problem(response, 405)
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_metrics_can_be_turned_off() -> None:
    container = build_container(Settings(database_url=SecretStr("memory://"), metrics=False))
    with TestClient(create_app(container)) as client:
        expect_problem(client.get("/metrics"), 404)


def test_the_documentation_can_be_turned_off() -> None:
    container = build_container(Settings(database_url=SecretStr("memory://"), docs=False))
    with TestClient(create_app(container)) as client:
        for path in (
            "/docs",
            "/redoc",
            "/openapi.json",
            "/docs/oauth2-redirect",
            "/static-offline-docs/swagger-ui.css",
        ):
            expect_problem(client.get(path), 404)
        assert client.get("/users/").json() == []
