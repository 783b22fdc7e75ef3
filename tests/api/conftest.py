"""Clients of the API, without a network."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from entrypoints.api.app import create_app
from entrypoints.container import Container
from tests.conftest import Databases
from tests.databases import ALL


@pytest.fixture
def client(container: Container) -> Iterator[TestClient]:
    """A client of an API that has nothing in it, on every kind of store in turn."""
    with TestClient(create_app(container)) as client:
        yield client


@pytest.fixture(scope="module", params=ALL)
def enduring_client(request: pytest.FixtureRequest, databases: Databases) -> Iterator[TestClient]:
    """The same for a whole module, which must leave it as it was: a client costs more than most requests."""
    with TestClient(create_app(databases.migrated(request.param))) as client:
        yield client


@pytest.fixture
def untouched(enduring_client: TestClient) -> Iterator[TestClient]:
    """A client of an API in which there is nothing, before and after."""
    yield enduring_client
    assert (enduring_client.get("/users/").text, enduring_client.get("/items/").text) == ("[]", "[]")
