"""The database goes away, hangs or comes back dead: nobody waits for long, nothing is promised falsely, all resumes."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from sqlite3 import connect
from time import monotonic
from typing import Any, cast

import anyio
import pytest
from anyio.to_thread import run_sync
from httpx2 import ASGITransport, AsyncClient
from psutil import Process
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql.engine.engines import parse_url
from adapters.sql.engine.pool import FairQueuePool
from adapters.sql.operations.migrations import migrate
from domain.errors import BelongingsError
from domain.items import Item
from entrypoints.api.app import create_app
from entrypoints.container import SqlContainer, build_container
from entrypoints.settings import Settings
from service_layer.deadline import set_deadline
from service_layer.errors import OutcomeUnknown, StorageUnavailable
from service_layer.read_models import ITEMS
from tests.conftest import Databases, FastHasher
from tests.faults.conftest import Figure
from tests.faults.proxy import Proxy
from tests.own_servers import OwnServer

SERVERS = ["postgresql", "mariadb"]
QUICK: dict[str, Any] = {"deadline": 3.0, "pool_wait": 2.0, "connect_wait": 1, "statement_wait": 1, "threads": 2}
SLACK = 3.0
"""Seconds in which a busy machine gets round to it."""

LITTLE_SLACK = 0.25
"""The same of a machine with nothing else to do, on which the long forms want to be run."""

CUTS = ["drop", "reset", "refuse"]
HANGS = ["stall", "swallow"]


@dataclass
class Behind:
    """A service whose database is behind a proxy."""

    proxy: Proxy
    make: Callable[..., SqlContainer]
    direct: SqlContainer

    def fault(self, name: str) -> "Fault":
        return Fault(name, getattr(self.proxy, name), self.proxy.heal, cuts=name in CUTS)


@pytest.fixture(params=SERVERS)
def behind(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Behind]:
    """An empty database of each kind in turn, behind a proxy, and what makes containers on it."""
    direct = cast(SqlContainer, databases.migrated(request.param))
    with Proxy(direct.url()) as proxy, ExitStack() as stack:

        def make(**settings: Any) -> SqlContainer:
            made = cast(SqlContainer, build_container(Settings(database_url=proxy.url, **settings)))  # type: ignore[arg-type]  # pydantic makes it a secret
            made.hasher.override(FastHasher())
            stack.callback(made.store().close)
            return made

        yield Behind(proxy, make, direct)


@asynccontextmanager
async def api(container: SqlContainer) -> AsyncIterator[AsyncClient]:
    app = create_app(container)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://belongings", timeout=120) as client,
    ):
        yield client


@dataclass
class Answer:
    """What came of a request, and when, by ``monotonic``."""

    asked: float
    status: int
    type: str | None
    retry_after: str | None
    title: str | None
    told: float = field(default_factory=monotonic)

    @property
    def took(self) -> float:
        return self.told - self.asked


@dataclass
class Clients:
    """Clients that ask without end, and all that they were told."""

    client: AsyncClient
    reads: list[Answer] = field(default_factory=list)
    writes: list[Answer] = field(default_factory=list)
    live: list[Answer] = field(default_factory=list)
    ready: list[Answer] = field(default_factory=list)

    async def ask(self, answers: list[Answer], method: str, path: str, title: str | None = None) -> None:
        asked = monotonic()
        told = await self.client.request(method, path, json={"title": title} if title else None)
        problem = told.json() if told.status_code >= 400 else {}
        answers.append(Answer(asked, told.status_code, problem.get("type"), told.headers.get("Retry-After"), title))

    async def keep(self, asking: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asking()
            await anyio.sleep(0.02)

    async def answered_since(self, moment: float, *kinds: list[Answer]) -> float:
        """When each kind of request that was sent after this moment had been answered with 200."""
        while True:
            good = [[each for each in kind if each.asked >= moment and each.status == 200] for kind in kinds]
            if all(good):
                return max(some[0].told for some in good)
            await anyio.sleep(0.01)


@dataclass
class Fault:
    """Something that can be done to a database, and undone.

    :param cuts: whether nobody waits for anything, so that all is well as soon as it is undone.
    """

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]
    cuts: bool = False


async def outage(container: SqlContainer, fault: Fault, seconds: float) -> tuple[Clients, list[float]]:
    """Clients through an outage: what they were told, and when it began, ended, and was over for them."""
    titles, pairs = count(), container.settings().threads + 1
    async with api(container) as client, anyio.create_task_group() as group:
        clients = Clients(client)
        for _ in range(pairs):
            group.start_soon(clients.keep, lambda: clients.ask(clients.reads, "GET", "/items/?limit=1"))
            group.start_soon(
                clients.keep, lambda: clients.ask(clients.writes, "POST", "/items/", f"{fault.name} {next(titles)}")
            )
        group.start_soon(clients.keep, lambda: clients.ask(clients.live, "GET", "/health/live"))
        group.start_soon(clients.keep, lambda: clients.ask(clients.ready, "GET", "/health/ready"))
        kinds = (clients.reads, clients.writes, clients.ready)
        with anyio.fail_after(60):
            await clients.answered_since(monotonic(), *kinds)
            await run_sync(fault.begin)
            began = monotonic()
            await anyio.sleep(seconds)
            await run_sync(fault.end)
            ended = monotonic()
            over = await clients.answered_since(ended, *kinds)
            await clients.answered_since(over, *kinds)
        group.cancel_scope.cancel()
    return clients, [began, ended, over]


def check_outage(
    container: SqlContainer, direct: SqlContainer, fault: Fault, *, seconds: float, slack: float = LITTLE_SLACK
) -> str:
    """What is promised of an outage holds; the figures.

    :param direct: what sees the same database from elsewhere; it is empty, and is left so.
    """
    deadline = container.settings().deadline
    clients, (began, ended, over) = anyio.run(outage, container, fault, seconds)
    asked = clients.reads + clients.writes

    assert {each.status for each in asked} == {200, 503}
    refused = [each for each in asked + clients.ready if each.status == 503]
    assert {each.retry_after for each in refused} == {"1"}
    assert max(each.took for each in asked) <= deadline + slack
    assert [each for each in refused if not began - slack <= each.told <= over + deadline + slack] == []
    if fault.cuts:
        assert [each for each in refused if each.asked > ended + slack] == []

    assert {each.status for each in clients.live} == {200}
    assert max(each.took for each in clients.live) <= slack
    meanwhile = [each for each in clients.ready if each.asked >= began and each.told <= ended]
    assert {each.status for each in meanwhile} == {503}
    assert max(each.took for each in clients.ready) <= 1 + slack
    assert over - ended <= 5 + slack

    kept = titles(direct)
    acknowledged = {each.title for each in clients.writes if each.status == 200}
    denied = {each.title for each in clients.writes if each.type == "urn:problem-type:belongings:database-unavailable"}
    assert {kept[title] for title in acknowledged} == {1}
    assert set(kept.values()) == {1}
    assert denied & kept.keys() == set()
    assert in_use(container) == 0
    with direct.engines().writer.begin() as connection:
        connection.execute(text("DELETE FROM items"))
    return (
        f"{fault.name}: {len(asked)} requests, {len(acknowledged)} writes acknowledged, {len(refused)} answered 503, "
        f"slowest {max(each.took for each in asked):.2f} s; ready within {max(each.took for each in meanwhile):.2f} s, "
        f"live within {max(each.took for each in clients.live):.3f} s; over {over - ended:.2f} s after its end"
    )


def in_use(container: SqlContainer) -> int:
    """How many connections are checked out."""
    engines = container.engines()
    return sum(cast(FairQueuePool, engine.pool).checkedout() for engine in (engines.reader, engines.writer))


def titles(container: SqlContainer) -> Counter[str | None]:
    """How often each title is kept."""
    with container.engines().reader.connect() as connection:
        return Counter(connection.scalars(text("SELECT title FROM items")))


@pytest.mark.parametrize("name", ["refuse", "swallow"])
def test_an_outage_is_told_in_time_and_over_when_it_is(behind: Behind, name: str) -> None:
    check_outage(behind.make(**QUICK), behind.direct, behind.fault(name), seconds=2.1, slack=SLACK)


@pytest.fixture
def nothing_kept_of_the_log() -> Iterator[None]:
    """An outage logs thousands of lines. Pytest keeps them with their tracebacks, and all that hangs on those: to look
    through it for garbage took Python longer than a second."""
    handlers = logging.getLogger().handlers
    levels = [each.level for each in handlers]
    for each in handlers:
        each.setLevel(logging.CRITICAL + 1)
    yield
    for each, level in zip(handlers, levels, strict=True):
        each.setLevel(level)


@pytest.mark.long
@pytest.mark.usefixtures("nothing_kept_of_the_log")
@pytest.mark.parametrize("name", CUTS + HANGS)
def test_a_long_outage_is_told_in_time_and_over_when_it_is(behind: Behind, name: str, figure: Figure) -> None:
    container = behind.make()
    for _ in range(3):
        figure(check_outage(container, behind.direct, behind.fault(name), seconds=12))


@pytest.mark.long
@pytest.mark.usefixtures("nothing_kept_of_the_log")
@pytest.mark.parametrize("own_server", SERVERS, indirect=True)
def test_a_server_that_is_suspended_is_told_of_in_time_and_resumes(
    own_server: OwnServer, own_database: str, figure: Figure
) -> None:
    def signal(act: Callable[[Process], None]) -> None:
        for each in [Process(own_server.pid), *Process(own_server.pid).children(recursive=True)]:
            act(each)

    fault = Fault("suspended", lambda: signal(Process.suspend), lambda: signal(Process.resume))
    migrate(parse_url(own_database))
    settings: Any = {"database_url": own_database}
    container, direct = (cast(SqlContainer, build_container(Settings(**settings))) for _ in range(2))
    with closing(container.store()), closing(direct.store()):
        direct.store().prepare()
        for _ in range(3):
            figure(check_outage(container, direct, fault, seconds=12))


@pytest.mark.parametrize("cut", ["drop", "reset"])
def test_when_all_connections_have_died_the_first_requests_succeed(behind: Behind, cut: str) -> None:
    container = behind.make()
    engines = container.engines()

    async def first_requests() -> list[int]:
        async with api(container) as client:
            for engine in (engines.writer, engines.reader):
                with ExitStack() as stack:
                    for _ in range(cast(FairQueuePool, engine.pool).size()):
                        stack.enter_context(engine.connect())
            getattr(behind.proxy, cut)()
            behind.proxy.heal()
            write = await client.post("/items/", json={"title": "Towel"})
            read = await client.get(write.headers.get("Location", "/"))
            return [each.status_code for each in (write, read, await client.get("/health/ready"))]

    assert anyio.run(first_requests) == [200, 200, 200]


def in_time(seconds: float, work: Callable[[], object]) -> tuple[object, float]:
    """What a thread with so much time returns or raises, and how long it took."""

    def timed() -> tuple[object, float]:
        began = monotonic()
        set_deadline(began + seconds)
        try:
            result = work()
        except (BelongingsError, SQLAlchemyError) as error:
            result = error
        return result, monotonic() - began

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(timed).result()


@pytest.mark.parametrize("after_all_but_the_commit", [False, True])
def test_a_server_that_is_silent_holds_no_thread_and_only_a_commit_may_have_been_done(
    behind: Behind, after_all_but_the_commit: bool
) -> None:
    container = behind.make()

    def write(interrupt: Callable[[], None] = lambda: None) -> None:
        with container.unit_of_work() as uow:
            if not after_all_but_the_commit:
                interrupt()
            uow.items.add(Item(title="Towel"))
            interrupt()
            uow.commit()

    with container.engines().writer.connect():
        pass
    error, took = in_time(0.5, lambda: write(behind.proxy.swallow))
    assert type(error) is (OutcomeUnknown if after_all_but_the_commit else StorageUnavailable)
    assert took <= 0.5 + SLACK
    assert in_use(container) == 0
    behind.proxy.heal()
    write()
    assert titles(behind.direct) == {"Towel": 1}


@pytest.mark.parametrize("fault", HANGS)
def test_a_server_that_takes_connections_and_is_silent_holds_no_thread(behind: Behind, fault: str) -> None:
    container = behind.make(connect_wait=60)
    getattr(behind.proxy, fault)()
    for work in (container.store().check, partial(container.unit_of_work().views.count, ITEMS)):
        error, took = in_time(0.3, work)
        assert isinstance(error, StorageUnavailable)
        assert took <= 0.3 + SLACK


def test_a_transaction_that_nobody_can_end_any_more_is_ended_by_the_server(behind: Behind) -> None:
    container = behind.make(deadline=1)
    with behind.direct.unit_of_work() as uow:
        item = Item(title="Towel")
        uow.items.add(item)
        uow.commit()

    def lock() -> None:
        with container.unit_of_work() as uow:
            uow.items.get(cast(int, item.id)).title = "Sieve"
            behind.proxy.swallow()
            uow.commit()

    assert isinstance(in_time(0.2, lock)[0], StorageUnavailable)
    with behind.direct.unit_of_work() as uow:
        uow.items.get(cast(int, item.id)).title = "Spoon"
        uow.commit()
    assert titles(behind.direct) == {"Spoon": 1}


@pytest.fixture
def file(databases: Databases) -> SqlContainer:
    """A service on a file of SQLite."""
    url = cast(SqlContainer, databases.migrated("sqlite")).url().render_as_string(hide_password=False)
    return cast(SqlContainer, build_container(Settings(database_url=url, deadline=0.5, pool_wait=0.2)))  # type: ignore[arg-type]  # pydantic makes it a secret


def test_while_somebody_else_writes_to_the_file_writers_are_told_in_time_and_readers_notice_nothing(
    file: SqlContainer,
) -> None:
    async def requests() -> list[list[int]]:
        async with api(file) as client:

            async def statuses() -> list[int]:
                began = monotonic()
                answers = [
                    await client.post("/items/", json={"title": "Towel"}),
                    await client.get("/items/"),
                    await client.get("/health/ready"),
                ]
                assert monotonic() - began <= 0.5 + SLACK
                return [each.status_code for each in answers]

            with closing(connect(str(file.url().database), isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                locked = await statuses()
            return [locked, await statuses()]

    assert anyio.run(requests) == [[503, 200, 200], [200, 200, 200]]
    assert titles(file) == {"Towel": 1}
    file.store().close()


def test_a_statement_that_would_not_end_is_ended_by_the_deadline_on_sqlite(file: SqlContainer) -> None:
    endless = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
    for engine in (file.engines().reader, file.engines().writer):
        with engine.connect() as connection:
            error, took = in_time(0.3, lambda connection=connection: connection.scalar(endless))  # type: ignore[misc]
        assert "interrupted" in str(error)
        assert took <= 0.3 + SLACK
    file.store().close()
