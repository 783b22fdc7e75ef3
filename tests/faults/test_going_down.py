"""SIGTERM, and restarts of workers, while clients are in the middle of things."""

import asyncio
import random
import signal
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

import psutil
import pytest
from sqlalchemy import NullPool, create_engine, select

from adapters.sql.engine.engines import parse_url
from adapters.sql.mapping.tables import items
from adapters.sql.operations.migrations import migrate
from tests.conftest import Databases
from tests.databases import SQL, new_database
from tests.faults.conftest import Belongings, Figure, OwnServers
from tests.faults.keep_alive import Load
from tests.faults.service import Service
from tests.own_servers import OwnServer, wait_for_end

PROMISED = 10.0
"""Seconds in which the service ends."""

LARGE = b"[" + b",".join([b'{"title": "Large", "description": "%s"}' % (b"x" * 9_000)] * 100) + b"]"
READ = b"GET /items/ HTTP/1.1\r\nHost: a\r\n\r\n"


def migrated(databases: Databases, kind: str) -> str:
    url = databases.empty(kind)
    migrate(parse_url(url))
    return url


def titles(url: str) -> set[str]:
    """Of all items that are kept."""
    engine = create_engine(parse_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        return set(connection.scalars(select(items.c.title)))


def logged(service: Service) -> int:
    """How many requests of the load were."""
    return service.log.read_text().count("/items/")


def stop(service: Service) -> float:
    """The seconds that it takes to end in order."""
    began = monotonic()
    assert service.stop() == 0, service.log.read_text()[-2000:]
    return monotonic() - began


async def stop_under(load: Load, service: Service) -> float:
    async with load:
        await load.more(random.randrange(50, 500))
        return await asyncio.to_thread(stop, service)


@pytest.mark.parametrize(
    ("kind", "times"), [("sqlite", 2), *(pytest.param(kind, 50, marks=pytest.mark.long) for kind in SQL)]
)
def test_every_request_that_was_read_is_answered(
    belongings: Belongings, databases: Databases, figure: Figure, kind: str, times: int
) -> None:
    url = migrated(databases, kind)
    service = belongings(DATABASE_URL=url)
    answers, cut, longest = Counter[int](), 0, 0.0
    for turn in range(times):
        if turn:
            service.start()
        load = Load(service.url)
        longest = max(longest, asyncio.run(stop_under(load, service)))
        assert not Path(f"{parse_url(url).database}-wal").exists()
        kept = titles(url)
        assert load.kept <= kept
        assert not load.unanswered & kept  # what was read was done
        answers, cut = answers + load.answers, cut + load.cut
    assert set(answers) == {200}
    assert logged(service) == answers.total()
    assert longest < PROMISED
    figure(f"{times} SIGTERMs, {answers.total()} answers, {cut} requests cut off, {longest:.2f} s at most")


def send(url: str, data: bytes) -> socket.socket:
    """A connection on which this was sent, and nothing has been read yet."""
    address = urlsplit(url)
    connection = socket.create_connection((str(address.hostname), address.port or 0), timeout=60)
    connection.sendall(data)
    return connection


def status(connection: socket.socket) -> int:
    """Of the next answer."""
    return int(connection.recv(2**16).split()[1])


def posted(path: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@contextmanager
def stuck(database: Path | OwnServer) -> Iterator[None]:
    """A file that somebody else writes to, or a server that does not move any more."""
    if isinstance(database, Path):
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
        return
    processes = [psutil.Process(database.pid), *psutil.Process(database.pid).children(recursive=True)]
    for each in processes:
        each.suspend()
    yield
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.resume()


def test_neither_a_stuck_database_nor_waiting_clients_keep_it_from_ending(belongings: Belongings) -> None:
    service = belongings(BELONGINGS_DEADLINE="1.5")
    with ExitStack() as stack:
        used = stack.enter_context(send(service.url, READ))
        assert status(used) == 200
        for part in (b"", READ[:20]):
            stack.enter_context(send(service.url, part))
        stack.enter_context(stuck(service.folder / "belongings.db"))
        waiting = stack.enter_context(send(service.url, posted("/items/", b'{"title": "Towel"}')))
        sleep(0.5)  # until it has been read
        assert stop(service) < PROMISED
        assert status(waiting) == 503


@pytest.mark.long
@pytest.mark.parametrize("kind", SQL)
def test_no_client_at_all_keeps_it_from_ending(
    belongings: Belongings, own_servers: OwnServers, figure: Figure, kind: str
) -> None:
    server = None if kind == "sqlite" else own_servers(kind)
    with ExitStack() as stack:
        url = stack.enter_context(new_database(server.url)) if server else "sqlite:///belongings.db"
        if server:
            migrate(parse_url(url))
        service = belongings(DATABASE_URL=url)
        filling = stack.enter_context(send(service.url, posted("/items/batch", LARGE)))
        assert status(filling) == 200
        for part in (b"", READ[:20], posted("/items/", b'{"title": "Towel"}')[:-9], 50 * READ):  # and reads no answer
            stack.enter_context(send(service.url, part))
        sleep(1)
        with stuck(server or service.folder / "belongings.db"):
            waiting = stack.enter_context(send(service.url, posted("/items/", b'{"title": "Towel"}')))
            sleep(0.5)
            took = stop(service)
            assert took < PROMISED
            assert status(waiting) == 503
    figure(f"{took:.2f} s")


def restart(service: Service, *, hang: bool = False) -> list[int]:
    """Replace all workers, one after the other; who they were.

    :param hang: whether the first one does not react any more.
    """
    workers = service.workers
    before = [each.pid for each in workers]
    service.process.send_signal(signal.SIGHUP)
    if hang:
        workers[0].suspend()
    deadline = monotonic() + 300
    while set(before) & {each.pid for each in service.process.children()}:
        assert monotonic() < deadline, service.log.read_text()[-2000:]
        assert "aborting the restart" not in service.log.read_text(), "the machine is too slow for this test"
        sleep(0.5)
    return before


@pytest.mark.parametrize(
    ("kind", "times", "pause"),
    [
        ("postgresql", 1, 0.1),
        pytest.param("postgresql", 20, 0.05, marks=pytest.mark.long),
        pytest.param("mariadb", 20, 0.05, marks=pytest.mark.long),
    ],
)
def test_workers_are_replaced_while_clients_are_served(
    belongings: Belongings, databases: Databases, figure: Figure, kind: str, times: int, pause: float
) -> None:
    url = migrated(databases, kind)
    service = belongings("--workers", "2", DATABASE_URL=url)

    async def replace() -> Load:
        async with Load(service.url, clients=8, pause=pause, reconnect=True) as load:
            for _ in range(times):
                await load.more(50)
                await asyncio.to_thread(restart, service)
            await load.more(50)
        return load

    load = asyncio.run(replace())
    assert set(load.answers) == {200}
    assert load.refused == 0
    assert load.kept == titles(url)
    assert logged(service) == load.answers.total()
    figure(f"{times} restarts, {load.answers.total()} answers, {load.cut} requests cut off")


def test_a_restart_kills_a_worker_that_hangs_and_replaces_the_next(
    belongings: Belongings, databases: Databases, figure: Figure
) -> None:
    service = belongings("--workers", "2", DATABASE_URL=migrated(databases, "postgresql"))
    with send(service.url, READ) as connection:
        assert status(connection) == 200
    began = monotonic()
    restart(service, hang=True)
    figure(f"{monotonic() - began:.2f} s")
    with send(service.url, READ) as connection:
        assert status(connection) == 200
    assert service.stop() == 0


def test_workers_end_when_their_supervisor_is_killed(
    belongings: Belongings, databases: Databases, figure: Figure
) -> None:
    service = belongings("--workers", "2", DATABASE_URL=migrated(databases, "postgresql"))
    with send(service.url, READ) as connection:
        assert status(connection) == 200
        workers = service.workers
        service.process.kill()
        began = monotonic()
        wait_for_end(workers)
    took = monotonic() - began
    assert took < PROMISED
    figure(f"{took:.2f} s")


def in_workers(folder: Path, statement: str) -> str:
    """A ``PYTHONPATH`` with which each worker executes this at its start, and the supervisor does not."""
    code = f"import os, sys, time\nif '--multiprocessing-fork' in sys.orig_argv: {statement}\n"
    (folder / "sitecustomize.py").write_text(code)
    return str(folder)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_while_its_workers_start(
    belongings: Belongings, databases: Databases, figure: Figure, tmp_path: Path, sent: signal.Signals
) -> None:
    path = in_workers(tmp_path, "time.sleep(600)")
    service = belongings("--workers", "2", DATABASE_URL=migrated(databases, "postgresql"), PYTHONPATH=path)
    sleep(1)  # until the supervisor has asked a worker whether it serves
    workers = service.workers
    began = monotonic()
    assert service.stop(sent) == 0
    figure(f"{monotonic() - began:.2f} s")
    wait_for_end(workers)


@pytest.mark.long
def test_it_fails_where_a_worker_cannot_start(belongings: Belongings, databases: Databases, tmp_path: Path) -> None:
    path = in_workers(tmp_path, "os.environ['DATABASE_URL'] = 'sqlite:////no/such/folder/a.db'")
    service = belongings("--workers", "2", DATABASE_URL=migrated(databases, "postgresql"), PYTHONPATH=path)
    assert service.wait() == 1


@pytest.mark.long
def test_it_ends_in_the_middle_of_a_restart_and_without_a_worker_that_hangs(
    belongings: Belongings, databases: Databases
) -> None:
    service = belongings("--workers", "2", DATABASE_URL=migrated(databases, "postgresql"))
    for hangs in (False, True):
        if hangs:
            service.start()
        with send(service.url, READ) as connection:
            assert status(connection) == 200
        if hangs:
            service.workers[0].suspend()
        service.process.send_signal(signal.SIGHUP)
        sleep(1)
        workers = service.process.children()
        began = monotonic()
        assert service.stop() == hangs
        assert monotonic() - began < PROMISED
        wait_for_end(workers)
