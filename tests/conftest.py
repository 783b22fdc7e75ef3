"""Fixtures: a container without rows on each kind of database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import copyfile
from typing import cast

import pytest

from adapters.sql.engine.engines import parse_url
from adapters.sql.mapping.tables import metadata
from adapters.sql.operations.migrations import migrate
from entrypoints.container import Container, SqlContainer, build_container
from entrypoints.settings import Settings
from service_layer.ports import UnitOfWork
from tests.databases import ALL, SQL, missing, new_database, server


class FastHasher:
    """Fast and not secure."""

    def hash(self, password: str) -> str:
        return f"hash of {len(password)} characters"

    def fingerprint(self, password: str, salt: str) -> str:
        return f"{len(password)} {salt}"[:64]


def container_for(url: str) -> Container:
    """A container on this database with a fast hasher, and a long deadline for slow machines."""
    container = build_container(Settings(database_url=url, deadline=60))  # type: ignore[arg-type]  # pydantic makes it a secret
    container.hasher.override(FastHasher())
    return container


class Databases:
    """Servers and migrated databases, each created on first use."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._servers: dict[str, str | None] = {}
        self._migrated: dict[str, Container] = {}
        self._count = 0

    def empty(self, kind: str) -> str:
        """The URL of a new database without a schema."""
        if kind == "sqlite":
            self._count += 1
            return f"sqlite:///{self._folder}/{self._count}.db"
        if kind not in self._servers:
            self._servers[kind] = self._stack.enter_context(server(kind))
        url = self._servers[kind]
        if url is None:
            missing(f"there is no {kind} server (TEST_{kind.upper()}_URL is not set)")
        return self._stack.enter_context(new_database(str(url)))

    def migrated(self, kind: str) -> Container:
        """A container on a migrated database without rows."""
        if kind == "memory":
            return container_for("memory://")
        if kind not in self._migrated:
            url = self.empty(kind)
            migrate(parse_url(url))
            self._migrated[kind] = container_for(url)
            self._migrated[kind].store().prepare()
        container = cast(SqlContainer, self._migrated[kind])
        if kind == "sqlite":
            copy = self.empty(kind)
            copyfile(str(container.url().database), str(parse_url(copy).database))
            return container_for(copy)
        with container.engines().writer.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        return container

    def close(self) -> None:
        for container in self._migrated.values():
            container.store().close()


@pytest.fixture(scope="session", autouse=True)
def allowed_hosts() -> Iterator[None]:
    """Allow the host names that the test clients use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BELONGINGS_HOSTS", "testserver belongings api")
        yield


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    with ExitStack() as stack:
        databases = Databases(stack, tmp_path_factory.mktemp("sqlite"))
        yield databases
        databases.close()


@pytest.fixture(params=ALL)
def container(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Container]:
    """A container without rows, on every kind of store in turn."""
    container = databases.migrated(request.param)
    container.store().prepare()
    yield container
    if request.param == "sqlite":
        container.store().close()


@pytest.fixture
def unit_of_work(container: Container) -> Callable[[], UnitOfWork]:
    """Makes units of work on every kind of store in turn."""
    return container.unit_of_work


@pytest.fixture(params=SQL)
def empty_url(request: pytest.FixtureRequest, databases: Databases) -> str:
    """The URL of a new database without a schema, on every kind of SQL database in turn."""
    return databases.empty(request.param)
