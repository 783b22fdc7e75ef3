"""Clients of the API, without a network.

Every test runs twice: with planned routes, and with FastAPI's own.
"""

from collections.abc import Iterator
from importlib import import_module, reload
from pkgutil import iter_modules

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from entrypoints.api import app as application
from entrypoints.api import routers, routing
from entrypoints.api.app import create_app
from entrypoints.container import Container
from tests.conftest import Databases
from tests.databases import ALL

_ROUTERS = [import_module(f"{routers.__name__}.{module.name}") for module in iter_modules(routers.__path__)]

_POOLS = {"test_thread_pools", "test_scans", "test_purging", "test_metrics", "test_overload"}
"""Modules about the thread pools, which only planned routes use."""

_OWN_ROUTES = {"test_routing", "test_schemathesis"}
"""Modules that choose the route class themselves, or are too slow to run twice."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = metafunc.module.__name__.rpartition(".")[2]
    kinds = ["planned"] if module in _POOLS | _OWN_ROUTES else ["planned", "plain"]
    metafunc.fixturenames.insert(0, "routes")
    metafunc.parametrize("routes", kinds, indirect=True, scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run FastAPI's own routes on two stores only: routes do not depend on the store."""
    items[:] = [
        item
        for item in items
        if not ("plain" in item.name and any(store in item.name for store in ("postgresql", "mariadb")))
    ]


@pytest.fixture(scope="module")
def routes(request: pytest.FixtureRequest) -> Iterator[str]:
    """The routes of the application: planned, or FastAPI's own."""
    kind: str = request.param
    if kind == "planned":
        yield kind
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "PooledRoute", APIRoute)
        patch.setattr(application, "install_route_table", lambda app: None)
        for module in _ROUTERS:
            reload(module)
        yield kind
    for module in _ROUTERS:
        reload(module)


@pytest.fixture
def client(container: Container) -> Iterator[TestClient]:
    """A client of an API without rows, on every kind of store in turn."""
    with TestClient(create_app(container)) as client:
        yield client


@pytest.fixture(scope="module", params=ALL)
def module_client(request: pytest.FixtureRequest, routes: str, databases: Databases) -> Iterator[TestClient]:
    """The same for a whole module. It is shared because starting an application takes longer than most tests."""
    with TestClient(create_app(databases.migrated(request.param))) as client:
        yield client


@pytest.fixture
def empty_client(module_client: TestClient) -> Iterator[TestClient]:
    """A client of an API without rows, which checks that there are still none after the test."""
    yield module_client
    assert (module_client.get("/users/").text, module_client.get("/items/").text) == ("[]", "[]")
