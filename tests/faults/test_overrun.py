"""More clients than the database can serve: they queue, or are told so; nothing hangs and nothing is left over."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from time import monotonic, sleep
from typing import Any, cast

import anyio
import pytest
from dependency_injector.providers import Factory
from fastapi import FastAPI
from httpx2 import AsyncClient, Limits
from sqlalchemy import event

from adapters.in_memory import InMemoryStore, InMemoryUnitOfWork
from adapters.in_memory_views import InMemoryViews, State
from entrypoints.api.app import create_app
from entrypoints.api.lanes import Lanes
from entrypoints.container import Container, SqlContainer, build_container
from entrypoints.settings import Settings
from tests.conftest import Databases, QuickHasher
from tests.databases import ALL
from tests.faults.proxy import Proxy
from tests.serving import served

CLIENTS = 200
QUERY_TAKES = 0.1
SLACK = 2.0
"""Seconds in which a busy machine gets round to it."""

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
            container.hasher.override(QuickHasher())
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
    return [engines.reader.pool, engines.writer.pool]


def connect_all(container: Container) -> None:
    """Have as many connections as there can be."""
    for pool in pools(container):
        with ExitStack() as stack:
            for _ in range(pool.size()):
                stack.enter_context(closing(pool.connect()))


def busy(app: FastAPI) -> bool:
    """Whether anything waits for a thread or has a connection."""
    lanes: Lanes = app.state.lanes
    return bool(
        lanes.reading.waiting or lanes.writing.waiting or any(p.checkedout() for p in pools(app.state.container))
    )


async def overrun(app: FastAPI, rounds: int) -> tuple[Counter[int], list[float], int, float]:
    """Send so many requests by 200 clients each, of which a third hang up; the statuses of the others, how long each
    took, how many hung up, and how long it took thereafter until nothing was left of them."""
    statuses: Counter[int] = Counter()
    took: list[float] = []
    gone = 0

    async def work(client: AsyncClient, number: int) -> None:
        nonlocal gone
        for turn in range(rounds):
            asked = monotonic()
            patience = 0.01 * (number % 50) if number % 3 == 0 else float("inf")
            with anyio.move_on_after(patience) as scope:
                if number % 2:
                    answer = await client.get("/items/")
                else:
                    answer = await client.post("/items/", json={"title": f"{number} {turn}"})
            if scope.cancelled_caught:
                gone += 1
                continue
            statuses[answer.status_code] += 1
            took.append(monotonic() - asked)
            assert answer.status_code != 503 or answer.headers["Retry-After"] == "1"

    limits = Limits(max_connections=CLIENTS)
    async with (
        served(app) as port,
        AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120, limits=limits) as client,
    ):
        async with anyio.create_task_group() as group:
            for number in range(CLIENTS):
                group.start_soon(work, client, number)
        ended = monotonic()
        with anyio.fail_after(60):
            while busy(app):
                await anyio.sleep(0.01)
        left = monotonic() - ended
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.get("/items/")).status_code == 200
        assert (await client.post("/items/", json={"title": "Towel"})).status_code == 200
    return statuses, took, gone, left


def check_overrun(container: Container, rounds: int) -> str:
    statuses, took, gone, left = anyio.run(overrun, create_app(container), rounds)
    deadline = container.settings().deadline
    assert statuses.keys() == {200, 503}
    assert max(took) <= deadline + SLACK
    assert left <= deadline + SLACK
    assert [pool.checkedout() for pool in pools(container)] == [0] * len(pools(container))
    assert gone
    return (
        f"{CLIENTS} clients, {sum(statuses.values()) + gone} requests: {statuses[200]} × 200, {statuses[503]} × 503, "
        f"{gone} hung up; slowest {max(took):.2f} s; nothing left after {left:.2f} s"
    )


def test_200_clients_on_five_connections_are_served_or_told_in_time_and_leave_nothing_behind(slow: MakeSlow) -> None:
    check_overrun(slow(threads=5, pool_wait=0.5, deadline=4), 1)


@pytest.mark.long
def test_200_clients_that_keep_coming_are_served_or_told_in_time_and_leave_nothing_behind(
    slow: MakeSlow, capsys: pytest.CaptureFixture[str]
) -> None:
    container = slow(threads=5)
    figures = check_overrun(container, 10)
    with capsys.disabled():
        print(f"\n{container.store().label.partition(' ')[0]}: {figures}")  # noqa: T201  # they are published
