"""More clients than the database can serve: they queue, or are told so; nothing hangs and nothing is left over."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, cast
from urllib.parse import urlsplit

import anyio
import pytest
from dependency_injector.providers import Factory
from fastapi import FastAPI
from httpx2 import AsyncClient, Limits
from sqlalchemy import event
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.memory.store import InMemoryStore, InMemoryUnitOfWork
from adapters.memory.views import InMemoryViews, State
from adapters.sql.engine.engines import parse_url
from adapters.sql.operations.migrations import migrate
from entrypoints.api.app import create_app
from entrypoints.api.thread_pools import ThreadPools
from entrypoints.container import Container, SqlContainer, build_container
from entrypoints.settings import Settings
from tests.conftest import Databases, FastHasher
from tests.databases import ALL
from tests.faults.conftest import Belongings, Figure
from tests.faults.proxy import Proxy
from tests.faults.raw import GET, connect
from tests.serving import served

QUERY_TAKES = 0.1
SLACK = 3.0
"""Seconds in which a busy machine gets round to it."""

HANGS = 60.0
"""Seconds after which a client that still has no answer would never have one."""

MakeSlow = Callable[..., Container]


class SlowMemory(InMemoryUnitOfWork):
    """Takes its time to read and to commit."""

    def __init__(self, store: InMemoryStore) -> None:
        def state() -> State:
            sleep(QUERY_TAKES)
            return store.state

        super().__init__(store)
        self.views = InMemoryViews(state)

    def commit(self) -> None:
        sleep(QUERY_TAKES)
        super().commit()


@pytest.fixture(params=ALL)
def slow(request: pytest.FixtureRequest, databases: Databases) -> Iterator[MakeSlow]:
    """Makes a service on an empty store in which each query takes 100 ms, on every kind of store in turn.

    What is slow is the network before a server, each use of a connection to a file, and each look into memory.
    """
    with ExitStack() as stack:

        def make(**settings: Any) -> Container:
            url = "memory://"
            if request.param != "memory":
                direct = cast(SqlContainer, databases.migrated(request.param)).url()
                url = direct.render_as_string(hide_password=False)
            if request.param in ("postgresql", "mariadb"):
                proxy = stack.enter_context(Proxy(direct))
                url = proxy.url
            container = build_container(Settings(database_url=url, **settings))  # type: ignore[arg-type]  # pydantic makes it a secret
            container.hasher.override(FastHasher())
            if request.param == "memory":
                container.unit_of_work.override(Factory(SlowMemory, container.store))
            if request.param == "sqlite":
                for engine in pools(container):
                    event.listen(engine, "checkout", lambda *_: sleep(QUERY_TAKES))
            stack.callback(container.store().close)
            if request.param in ("postgresql", "mariadb"):
                connect_all(container)
                proxy.delay(QUERY_TAKES)
            return container

        yield make


def pools(container: Container) -> list[Any]:
    """The pools of connections, where the store has any."""
    if not hasattr(container, "engines"):
        return []
    engines = cast(SqlContainer, container).engines()
    return [engines.reader.pool, engines.scanner.pool, engines.writer.pool]


def connect_all(container: Container) -> None:
    """Have as many connections as there can be."""
    for pool in pools(container):
        with ExitStack() as stack:
            for _ in range(pool.size()):
                stack.enter_context(closing(pool.connect()))


def busy(app: FastAPI) -> bool:
    """Whether anything waits for a thread or has a connection."""
    thread_pools: ThreadPools = app.state.thread_pools
    return bool(
        any(thread_pool.waiting for thread_pool in thread_pools)
        or any(p.checkedout() for p in pools(app.state.container))
    )


class Stopwatch:
    """Notes which requests were read, and how long each took, whether or not anybody was there for the answer."""

    def __init__(self, app: ASGIApp, seen: "Overrun") -> None:
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = monotonic()
        if scope["type"] == "http":
            self._seen.read.add(Headers(scope=scope).get("X-Request", ""))
        await self._app(scope, receive, send)
        if scope["type"] == "http":
            self._seen.took.append(monotonic() - began)


@dataclass
class Overrun:
    """What came of it.

    :ivar told: the statuses of those who stayed.
    :ivar waited: how long each of them waited, from before they had a connection.
    :ivar took: how long each request took that the service had read.
    :ivar read: the requests that the service has read.
    :ivar gone: how many hung up after that.
    :ivar left: how long after the last of all this something still waited or was in use.
    """

    told: Counter[int] = field(default_factory=Counter)
    waited: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    gone: int = 0
    left: float = 0.0


async def overrun(app: FastAPI, clients: int, rounds: int) -> Overrun:
    """Send so many requests by each of so many clients, of which every third hangs up once its request is read."""
    seen = Overrun()
    app.add_middleware(Stopwatch, seen=seen)
    waits = app.state.container.settings().pool_wait

    async def hang_up(scope: anyio.CancelScope, request: str, after: float) -> None:
        while request not in seen.read:
            await anyio.sleep(0.01)
        await anyio.sleep(after)
        scope.cancel()

    async def ask(client: AsyncClient, number: int, turn: int) -> None:
        asked, answer, request = monotonic(), None, f"{number} {turn}"
        async with anyio.create_task_group() as group:
            if number % 3 == 0:
                group.start_soon(hang_up, group.cancel_scope, request, waits * (number % 5) / 5)
            if number % 2:
                answer = await client.get("/items/", headers={"X-Request": request})
            else:
                answer = await client.post("/items/", json={"title": request}, headers={"X-Request": request})
            group.cancel_scope.cancel()
        if answer is None:
            seen.gone += 1
        else:
            seen.told[answer.status_code] += 1
            seen.waited.append(monotonic() - asked)
            assert answer.status_code != 503 or answer.headers["Retry-After"] == "1"

    async def work(client: AsyncClient, number: int) -> None:
        for turn in range(rounds):
            await ask(client, number, turn)

    limits = Limits(max_connections=clients)
    async with (
        served(app) as port,
        AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120, limits=limits) as client,
    ):
        async with anyio.create_task_group() as group:
            for number in range(clients):
                group.start_soon(work, client, number)
        ended = monotonic()
        with anyio.fail_after(60):
            while busy(app):
                await anyio.sleep(0.01)
        seen.left = monotonic() - ended
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.get("/items/")).status_code == 200
        assert (await client.post("/items/", json={"title": "Towel"})).status_code == 200
    return seen


def check_overrun(container: Container, clients: int, rounds: int) -> str:
    seen = anyio.run(overrun, create_app(container), clients, rounds)
    deadline = container.settings().deadline
    assert {200} <= seen.told.keys() <= {200, 503}
    assert max(seen.took) <= deadline + SLACK
    assert max(seen.waited) <= HANGS
    assert seen.left <= deadline + SLACK
    assert [pool.checkedout() for pool in pools(container)] == [0] * len(pools(container))
    assert seen.gone
    return (
        f"{clients} clients, {seen.told.total() + seen.gone} requests: {seen.told[200]} × 200, {seen.told[503]} × 503, "
        f"{seen.gone} hung up; slowest {max(seen.took):.2f} s; "
        f"nothing left after {seen.left:.2f} s"
    )


def test_60_clients_on_five_connections_are_served_or_told_in_time_and_leave_nothing_behind(slow: MakeSlow) -> None:
    check_overrun(slow(threads=5, pool_wait=0.3, deadline=3), 60, 1)


@pytest.mark.long
def test_200_clients_that_keep_coming_are_served_or_told_in_time_and_leave_nothing_behind(
    slow: MakeSlow, figure: Figure
) -> None:
    figure(check_overrun(slow(threads=5), 200, 10))


@pytest.mark.long
def test_connections_that_come_at_once_are_shared_among_workers(
    belongings: Belongings, databases: Databases, figure: Figure
) -> None:
    url = databases.empty("postgresql")
    migrate(parse_url(url))
    service = belongings("--workers", "2", DATABASE_URL=url)
    port = urlsplit(service.url).port

    def burst() -> int:
        """How many of sixteen connections the worker with fewer of them has."""
        with ExitStack() as stack:
            for connection in [stack.enter_context(connect(service)) for _ in range(16)]:
                connection.sendall(GET)
                assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")
            return min(
                sum(each.laddr.port == port and each.status == "ESTABLISHED" for each in worker.net_connections("tcp"))
                for worker in service.workers
            )

    while not burst():  # until both are there
        sleep(0.5)
    fewest = [burst() for _ in range(20)]
    figure(f"20 times 16 connections, of which the worker with fewer had {min(fewest)} to {max(fewest)}")
    assert min(fewest) >= 2
