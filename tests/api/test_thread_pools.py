"""Thread pools: timeouts, cancellation, group commits, and that one pool does not block another."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from threading import Event, Lock
from threading import enumerate as enumerate_threads
from time import monotonic

import pytest
from anyio import create_task_group, move_on_after, run, sleep
from httpx2 import ASGITransport, AsyncClient

from domain.items import Item
from entrypoints.api import thread_pools
from entrypoints.api.app import create_app
from entrypoints.api.thread_pools import ThreadPool, Timeouts
from entrypoints.container import Container, build_container
from entrypoints.logging import request_id
from entrypoints.settings import Settings, processors
from service_layer.deadline import seconds_left
from service_layer.errors import Busy, OutcomeUnknown, StorageUnavailable
from tests.conftest import FastHasher

LONG_TIMEOUTS = Timeouts(thread=30, deadline=60)


def test_a_pool_runs_at_most_its_number_of_jobs_at_once() -> None:
    running, most, lock = 0, 0, Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        Event().wait(0.01)
        with lock:
            running -= 1

    async def main() -> None:
        thread_pool = ThreadPool("test", 2, LONG_TIMEOUTS)
        async with create_task_group() as group:
            for _ in range(8):
                group.start_soon(thread_pool.run, work)

    run(main)
    assert most == 2


def test_a_job_that_gets_no_thread_in_time_is_refused_and_does_not_start() -> None:
    started: list[str] = []
    blocked, go_on = Event(), Event()

    def work(name: str) -> str:
        started.append(name)
        blocked.set()
        go_on.wait()
        return name

    async def main() -> None:
        thread_pool = ThreadPool("test", 1, Timeouts(thread=0.5, deadline=30))
        async with create_task_group() as group:
            group.start_soon(thread_pool.run, work, "first")
            while not blocked.is_set():
                await sleep(0)
            with pytest.raises(Busy):
                await thread_pool.run(work, "second")
            go_on.set()
        assert await thread_pool.run(work, "third") == "third"

    run(main)
    assert started == ["first", "third"]


def test_a_late_job_raises_and_its_outcome_is_unknown_only_if_it_writes() -> None:
    go_on = Event()
    done: list[str] = []

    def work(name: str) -> None:
        go_on.wait()
        done.append(name)

    async def main() -> None:
        timeouts = Timeouts(thread=0.2, deadline=0.2)
        for changes, error in ((False, StorageUnavailable), (True, OutcomeUnknown)):
            thread_pool = ThreadPool("test", 1, timeouts, changes=changes)
            with pytest.raises(StorageUnavailable) as raised:
                await thread_pool.run(work, f"changes: {changes}")
            assert type(raised.value) is error
            assert raised.value.reason == "it took longer than 0.2 s"
            go_on.set()
            assert await thread_pool.run(divmod, 7, 2) == (3, 1)  # its thread is free again
            go_on.clear()

    run(main)
    assert done == ["changes: False", "changes: True"]


def test_a_job_has_a_deadline_before_that_of_its_caller() -> None:
    async def main() -> list[float]:
        thread_pool = ThreadPool("test", 1, Timeouts(deadline=50))
        return [await thread_pool.run(seconds_left) for _ in range(2)]

    assert all(40 < left <= 45 for left in run(main))


def test_a_job_can_have_a_time_limit_from_when_it_starts() -> None:
    async def main() -> list[float]:
        thread_pool = ThreadPool("test", 1, Timeouts(deadline=50, work=10))
        return [await thread_pool.run(seconds_left) for _ in range(2)]

    assert all(5 < left <= 10 for left in run(main))


def test_a_job_has_the_request_id_of_its_caller_even_in_a_group() -> None:
    results: list[str | None] = []
    blocked, go_on = Event(), Event()

    def work() -> None:
        results.append(request_id.get())
        request_id.set("left behind")
        blocked.set()
        go_on.wait()

    async def call(thread_pool: ThreadPool, id: str) -> None:
        request_id.set(id)
        await thread_pool.run(work)

    async def main() -> None:
        thread_pool = ThreadPool("test", 1, LONG_TIMEOUTS, group_commit=nullcontext)
        async with create_task_group() as group:
            group.start_soon(call, thread_pool, "first")
            while not blocked.is_set():
                await sleep(0)
            for id in ("second", "third"):
                group.start_soon(call, thread_pool, id)
            while thread_pool.waiting < 2:
                await sleep(0)
            go_on.set()
        await thread_pool.run(work)

    run(main)
    assert results == ["first", "second", "third", None]


def test_a_job_is_refused_at_once_if_the_queue_is_full() -> None:
    blocked, go_on = Event(), Event()

    def work() -> None:
        blocked.set()
        go_on.wait()

    async def main() -> None:
        thread_pool = ThreadPool("test", 1, Timeouts(thread=30, deadline=60, max_queued=2))
        async with create_task_group() as group:
            group.start_soon(thread_pool.run, work)
            while not blocked.is_set():
                await sleep(0)
            for _ in range(2):
                group.start_soon(thread_pool.run, work)
            while thread_pool.waiting < 2:
                await sleep(0)
            with pytest.raises(Busy) as raised:
                await thread_pool.run(work)
            assert raised.value.reason == "too many requests wait for the database"
            go_on.set()
        assert thread_pool.waiting == 0

    run(main)


def test_only_jobs_with_a_waiting_caller_count_as_pending() -> None:
    blocked, go_on = Event(), Event()

    def work() -> None:
        blocked.set()
        go_on.wait()

    async def main() -> None:
        thread_pool = ThreadPool("test", 1, Timeouts(thread=30, deadline=60, max_pending=2))
        async with create_task_group() as group:
            group.start_soon(thread_pool.run, work)
            while not blocked.is_set():
                await sleep(0)
            for _ in range(3):
                with move_on_after(0.01):
                    await thread_pool.run(work)
            group.start_soon(thread_pool.run, work)
            while thread_pool.waiting < 4:  # three of them were cancelled
                await sleep(0)
            with pytest.raises(Busy) as raised:
                await thread_pool.run(work)
            assert raised.value.reason == "too many requests wait for the database"
            go_on.set()
        await thread_pool.run(work)

    run(main)


def test_work_of_the_service_itself_waits_however_many_requests_wait() -> None:
    async def main() -> None:
        thread_pool = ThreadPool("test", 1, Timeouts(thread=30, deadline=60, max_queued=0, max_pending=0))
        with pytest.raises(StorageUnavailable):
            await thread_pool.run(divmod, 7, 2)
        assert await thread_pool.run_since(monotonic(), lambda: "done", is_request=False) == "done"

    run(main)


def test_reads_have_places_however_many_other_requests_there_are() -> None:
    container = build_container(Settings(database_url="memory://", requests=50, threads=1, deadline=60))  # type: ignore[arg-type]  # pydantic makes it a secret
    container.hasher.override(FastHasher())
    app = create_app(container)
    go_on = Event()
    bodies: dict[str, Callable[[int], object]] = {
        "/users/": lambda n: {"email": f"rick{n}@example.com", "password": "wubbalubba"},
        "/items/": lambda n: {"title": "Towel"},
        "/items/batch": lambda n: [{"title": "Towel"}],
    }
    statuses: dict[str, Counter[int]] = {path: Counter() for path in (*bodies, "/items/?q=towel")}

    async def search(client: AsyncClient) -> None:
        statuses["/items/?q=towel"][(await client.get("/items/?q=towel")).status_code] += 1

    async def create(client: AsyncClient, path: str, body: object) -> None:
        statuses[path][(await client.post(path, json=body)).status_code] += 1

    async def main() -> None:
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://belongings", timeout=60) as client,
            create_task_group() as group,
        ):
            pools = app.state.thread_pools
            for pool in (pools.hashing, pools.writing, pools.batches, pools.scanning):
                for _ in range(processors() if pool is pools.hashing else 1):
                    group.start_soon(partial(pool.run_since, monotonic(), go_on.wait, is_request=False))
            for n in range(60):
                group.start_soon(search, client)
                for path, body in bodies.items():
                    group.start_soon(create, client, path, body(n))
            while sum(pool.waiting for pool in pools) + sum(map(Counter.total, statuses.values())) < 60 * len(statuses):
                await sleep(0)
            for _ in range(10):
                assert (await client.get("/items/")).status_code == 200
                assert (await client.get("/users/1")).status_code == 404
            go_on.set()

    run(main)
    assert all(set(counts) == {200, 503} for counts in statuses.values())


def test_a_pool_with_a_hanging_job_can_be_closed_and_the_job_can_end_later() -> None:
    go_on = Event()

    async def main() -> ThreadPool:
        thread_pool = ThreadPool("hanging", 1, Timeouts(deadline=0.05))
        with pytest.raises(StorageUnavailable):
            await thread_pool.run(go_on.wait)
        thread_pool.close()
        return thread_pool

    thread_pool = run(main)
    go_on.set()
    thread_pool.close()  # an error in its thread would fail this test


def test_a_job_whose_caller_was_cancelled_does_not_start() -> None:
    started: list[str] = []
    blocked, go_on = Event(), Event()

    def work(name: str) -> None:
        started.append(name)
        blocked.set()
        go_on.wait()

    async def main() -> None:
        thread_pool = ThreadPool("test", 1, LONG_TIMEOUTS)
        async with create_task_group() as group:
            group.start_soon(thread_pool.run, work, "first")
            while not blocked.is_set():
                await sleep(0)
            with move_on_after(0.01):
                await thread_pool.run(work, "second")
            go_on.set()
        await thread_pool.run(work, "third")

    run(main)
    assert started == ["first", "third"]


def test_a_closed_pool_has_run_its_jobs_and_has_no_threads() -> None:
    done: list[int] = []

    async def main() -> None:
        thread_pool = ThreadPool("closing", 2, LONG_TIMEOUTS)
        for n in range(4):
            await thread_pool.run(done.append, n)
        thread_pool.close()

    run(main)
    assert done == [0, 1, 2, 3]
    assert not [thread for thread in enumerate_threads() if thread.name.startswith("closing")]


def test_errors_are_raised_in_the_caller_and_free_the_thread() -> None:
    async def main() -> None:
        thread_pool = ThreadPool("test", 1, LONG_TIMEOUTS)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await thread_pool.run(divmod, 1, 0)

    run(main)


@pytest.mark.parametrize("succeeds", [True, False])
def test_waiting_jobs_run_in_one_group_and_get_their_results_after_its_commit(succeeds: bool) -> None:
    results: list[object] = []
    seen: list[list[object]] = []
    blocked, go_on = Event(), Event()

    @contextmanager
    def group_commit() -> Iterator[None]:
        yield
        seen.append(list(results))
        if not succeeds:
            raise StorageUnavailable("the disk is full")

    def block() -> str:
        blocked.set()
        go_on.wait()
        return "first"

    async def main() -> None:
        thread_pool = ThreadPool("test", 1, LONG_TIMEOUTS, group_commit=group_commit)

        async def call(work: Callable[[], object]) -> None:
            try:
                results.append(await thread_pool.run(work))
            except (StorageUnavailable, ZeroDivisionError) as error:
                results.append(type(error))

        async with create_task_group() as group:
            group.start_soon(call, block)
            while not blocked.is_set():
                await sleep(0)
            for work in (lambda: "second", lambda: 1 // 0, lambda: "fourth"):
                group.start_soon(call, work)
            await sleep(0.01)
            go_on.set()
        thread_pool.close()

    run(main)
    assert seen in ([["first"]], [[]])  # the first job ran alone
    assert results == ["first", *(["second", ZeroDivisionError, "fourth"] if succeeds else [StorageUnavailable] * 3)]


def test_a_group_with_slow_jobs_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_pools, "_GROUP_SECONDS", 0.0)
    blocked, go_on = Event(), Event()
    blocks = 0

    @contextmanager
    def group_commit() -> Iterator[None]:
        nonlocal blocks
        blocks += 1
        yield

    def block() -> None:
        blocked.set()
        go_on.wait()

    async def main() -> None:
        thread_pool = ThreadPool("test", 1, LONG_TIMEOUTS, group_commit=group_commit)
        async with create_task_group() as group:
            group.start_soon(thread_pool.run, block)
            while not blocked.is_set():
                await sleep(0.001)
            for _ in range(5):
                group.start_soon(thread_pool.run, Event().wait, 0.001)
            while thread_pool.waiting < 5:
                await sleep(0.001)
            go_on.set()

    run(main)
    assert blocks == 4  # the last job is alone in its block


@pytest.mark.parametrize("starts", [True, False])
def test_a_group_has_the_deadline_of_its_first_job_which_fails_alone_if_the_group_cannot_start(starts: bool) -> None:
    left: list[float] = []
    blocked, go_on = Event(), Event()

    @contextmanager
    def group_commit() -> Iterator[None]:
        left.append(seconds_left())
        if not starts:
            raise StorageUnavailable("locked by another writer")
        yield

    def block() -> None:
        blocked.set()
        go_on.wait()

    async def main() -> list[str]:
        thread_pool = ThreadPool("test", 1, Timeouts(thread=60, deadline=0.1), group_commit=group_commit)
        results: list[str] = []

        async def call(work: Callable[[], object]) -> None:
            try:
                await thread_pool.run(work)
                results.append("done")
            except StorageUnavailable as error:
                results.append(error.reason)

        async with create_task_group() as group:
            group.start_soon(call, block)
            while not blocked.is_set():
                await sleep(0)
            while results != ["it took longer than 0.1 s"]:
                await sleep(0.01)
            thread_pool._deadline = 60
            for _ in range(2):
                group.start_soon(call, lambda: None)
            while thread_pool.waiting < 2:
                await sleep(0)
            go_on.set()
        thread_pool.close()
        return results[1:]

    results = run(main)
    assert left[0] > 30
    assert results == (["done"] * 2 if starts else ["locked by another writer", "done"])


@pytest.mark.parametrize("container", ["memory", "sqlite"], indirect=True)
def test_waiting_writers_do_not_block_readers(container: Container) -> None:
    app = create_app(container)

    async def main() -> list[int]:
        statuses: list[int] = []

        async def write(client: AsyncClient) -> None:
            statuses.append((await client.post("/items/", json={"title": "Towel"})).status_code)

        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://belongings", timeout=30) as client,
            create_task_group() as group,
        ):
            with container.unit_of_work() as uow:
                uow.items.add(Item(title="Sieve"))  # this locks out all other writers
                for _ in range(8):
                    group.start_soon(write, client)
                for _ in range(8):
                    assert (await client.get("/items/")).status_code == 200
                assert statuses == []
        return statuses

    assert run(main) == [200] * 8


def test_an_application_that_cannot_start_leaves_no_threads(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_text("not a database")
    settings = Settings(database_url=f"sqlite:///{broken}")  # type: ignore[arg-type]  # pydantic makes it a secret
    app = create_app(build_container(settings))
    before = set(enumerate_threads())

    async def start() -> None:
        async with app.router.lifespan_context(app):
            pytest.fail("it has started")

    with pytest.raises(StorageUnavailable):
        run(start)
    assert not [each for each in set(enumerate_threads()) - before if "AnyIO" not in each.name]


@pytest.mark.parametrize(
    "path", ["/users/", "/items/", "/items/?sort=title", "/users/1/items/", "/items/?owner_id=null"]
)
def test_lists_do_not_delay_reads_of_one_resource(container: Container, path: str) -> None:
    go_on = Event()
    statuses: list[int] = []

    async def read_list(client: AsyncClient) -> None:
        statuses.append((await client.get(path)).status_code)

    async def main() -> None:
        app = create_app(container)
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://belongings", timeout=60) as client,
        ):
            pool = app.state.thread_pools.listing
            async with create_task_group() as group:
                for _ in range(container.settings().threads):
                    group.start_soon(pool.run, go_on.wait)
                for _ in range(30):
                    group.start_soon(read_list, client)
                while pool.waiting < 30:
                    assert (await client.get("/items/1")).status_code == 404
                assert statuses == []
                go_on.set()

    run(main)
    assert statuses in ([200] * 30, [404] * 30)
