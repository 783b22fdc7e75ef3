"""Databases to test on: configured by a variable, or started from the binaries in the dev dependencies.

Each test run creates its own databases on a server, and drops them at the end.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, create_engine, text

from adapters.sql.engine.engines import parse_url
from tests.own_servers import own_postgresql

SQL = ["sqlite", "postgresql", "mariadb"]
ALL = ["memory", *SQL]

_SETTINGS = {"postgresql": "TEST_POSTGRES_URL", "mariadb": "TEST_MARIADB_URL"}
_REQUIRED = "TEST_REQUIRE_ALL_DATABASES"


def missing(reason: str) -> None:
    """Skip the test, or fail it if all databases are required."""
    if os.environ.get(_REQUIRED):
        pytest.fail(f"{_REQUIRED} is set, but {reason}", pytrace=False)
    pytest.skip(reason)


@contextmanager
def server(kind: str) -> Iterator[str | None]:
    """The URL of a server on which databases can be created, or None if there is no server."""
    configured = os.environ.get(_SETTINGS[kind])
    if configured or kind != "postgresql":
        yield configured
        return
    with own_postgresql(fsync=False) as own:
        yield own.url if own else None


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """The URL of a new, empty database on this server."""
    name = f"belongings_test_{uuid4().hex[:12]}"
    url = parse_url(server_url)
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield url.set(database=name).render_as_string(hide_password=False)
    force = " WITH (FORCE)" if url.get_backend_name() == "postgresql" else ""
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}{force}"))


def free_port() -> int:
    """A port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
