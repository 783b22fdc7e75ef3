"""No room left: nothing is acknowledged that is not kept, reads go on, and so does the service once there is room."""

import os
import pwd
import random
import shutil
import string
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, NullPool, create_engine, text

from adapters.sql.engine.engines import parse_url
from adapters.sql.operations.migrations import migrate
from entrypoints.api.app import create_app
from tests.api.problems import expect_problem
from tests.conftest import Databases
from tests.faults.conftest import Belongings, Figure, OwnServers
from tests.faults.ledger import NOTHING_WRONG, compare, unsound
from tests.faults.service import Service
from tests.faults.writers import Writers

SIZE = "16m"
BALLAST = 4 * 2**20
REFUSALS = 20
SEED = 1


@contextmanager
def small_file_system(folder: Path, *, user: str) -> Iterator[Path]:
    """One of 16 MiB in this folder, and in it a file of 4 MiB that can be removed to make room."""
    if shutil.which("mount") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder.mkdir(exist_ok=True)
    options = f"size={SIZE},mode=700,uid={pwd.getpwnam(user).pw_uid}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mount is refused: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill_and_make_room(service: Service, url: str, ballast: Path, figure: Figure) -> None:
    """Let clients write until there is no room, remove what takes some, and let them go on; then count."""
    words = "".join(random.Random(SEED).choices(string.ascii_letters, k=9_000))  # which no database can compress
    with Writers(lambda: service.url, clients=4, seed=SEED, users=False, description=words) as writers:
        deadline = monotonic() + 60
        while writers.statuses[507] < REFUSALS:
            assert monotonic() < deadline, writers.statuses
            sleep(0.05)
        for path in ("/items/?limit=1", "/health/ready"):
            with urlopen(service.url + path, timeout=60) as answer:
                assert answer.status == 200
        kept = writers.acknowledged
        ballast.unlink()
        writers.wait_for(kept + REFUSALS)
    service.kill()
    found = compare(url, writers.promises)
    figure(
        f"{kept:,} acknowledged until it was full, {writers.statuses[507]} refused with 507,"
        f" {writers.acknowledged - kept} acknowledged once there was room; {found.lost} lost, {found.doubled} twice"
    )
    assert set(writers.statuses) == {200, 507}
    assert found == NOTHING_WRONG
    assert unsound(url) == []


def put_ballast(folder: Path) -> Path:
    (ballast := folder / "ballast").write_bytes(bytes(BALLAST))
    return ballast


def test_a_full_file_system_refuses_writes_until_there_is_room_on_sqlite(
    tmp_path: Path, belongings: Belongings, figure: Figure
) -> None:
    with small_file_system(tmp_path / "small", user="root") as folder:
        url = f"sqlite:///{folder / 'kept.db'}"
        service = belongings(DATABASE_URL=url)
        fill_and_make_room(service, url, put_ballast(folder), figure)


def test_a_full_file_system_refuses_writes_until_there_is_room_on_postgresql(
    own_servers: OwnServers, belongings: Belongings, figure: Figure
) -> None:
    """A database in a tablespace of its own: PostgreSQL ends if its log cannot be written, and that is elsewhere."""
    server = own_servers("postgresql")
    with small_file_system(server.folder / "small", user=server.user) as folder, sole_connection(server.url) as run:
        (space := folder / "space").mkdir()
        shutil.chown(space, server.user)
        run(f"CREATE TABLESPACE small LOCATION '{space}'")
        run("CREATE DATABASE small TABLESPACE small")
        try:
            url = parse_url(server.url).set(database="small").render_as_string(hide_password=False)
            migrate(parse_url(url))
            fill_and_make_room(belongings(DATABASE_URL=url), url, put_ballast(folder), figure)
        finally:
            run("DROP DATABASE small WITH (FORCE)")
            run("DROP TABLESPACE small")


def test_a_full_file_system_refuses_writes_until_there_is_room_on_mariadb(
    own_servers: OwnServers, belongings: Belongings, figure: Figure
) -> None:
    """A database is a folder: the server's own logs are outside of it."""
    server = own_servers("mariadb")
    with small_file_system(server.folder / "data" / "small", user=server.user) as folder:
        url = parse_url(server.url).set(database="small").render_as_string(hide_password=False)
        migrate(parse_url(url))
        try:
            fill_and_make_room(belongings(DATABASE_URL=url), url, put_ballast(folder), figure)
        finally:
            with sole_connection(url) as run:
                run("DROP TABLE items, removed_users, users, idempotency_keys, alembic_version")


@contextmanager
def sole_connection(url: str) -> Iterator[Any]:
    """Runs statements, each by itself."""
    engine = create_engine(parse_url(url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield lambda statement: connection.execute(text(statement))


@contextmanager
def no_room(writer: Engine) -> Iterator[None]:
    """Let SQLite take the file for full."""

    def limit(connection: Any, pages: int) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with writer.connect() as connection:
        limit(connection.connection.dbapi_connection, 1)  # which is taken to be as many as there are
    yield
    with writer.connect() as connection:
        limit(connection.connection.dbapi_connection, 2**30)


def test_a_database_without_room_is_a_507_and_nothing_is_changed(databases: Databases) -> None:
    container = databases.migrated("sqlite")
    body = {"title": "Towel", "description": "x" * 10_000}
    with TestClient(create_app(container)) as client:
        with no_room(container.engines().writer):
            for _ in range(2):
                expect_problem(client.post("/items/", json=body), 507, "storage-full")
            assert client.get("/items/").json() == []
            assert client.get("/health/ready").status_code == 200
        assert client.post("/items/", json=body).status_code == 200
        assert len(client.get("/items/").json()) == 1
