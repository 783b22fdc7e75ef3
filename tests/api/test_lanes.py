"""Work that waits keeps other work from nothing."""

from threading import Event, Lock
from threading import enumerate as enumerate_threads

import pytest
from anyio import create_task_group, move_on_after, run, sleep
from httpx2 import ASGITransport, AsyncClient

from domain.errors import StorageUnavailable
from domain.items import Item
from entrypoints.api.app import create_app
from entrypoints.api.lanes import Lane
from entrypoints.container import Container


def test_a_lane_is_no_wider_than_it_says() -> None:
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
        lane = Lane("test", 2, wait=30)
        async with create_task_group() as group:
            for _ in range(8):
                group.start_soon(lane.run, work)

    run(main)
    assert most == 2


def test_work_that_finds_no_thread_in_time_is_refused_and_does_not_begin() -> None:
    begun: list[str] = []
    blocked, go_on = Event(), Event()

    def work(name: str) -> str:
        begun.append(name)
        blocked.set()
        go_on.wait()
        return name

    async def main() -> None:
        lane = Lane("test", 1, wait=0.01)
        async with create_task_group() as group:
            group.start_soon(lane.run, work, "first")
            while not blocked.is_set():
                await sleep(0)
            with pytest.raises(StorageUnavailable):
                await lane.run(work, "second")
            go_on.set()
        assert await lane.run(work, "third") == "third"

    run(main)
    assert begun == ["first", "third"]


def test_work_that_nobody_waits_for_any_more_does_not_begin() -> None:
    begun: list[str] = []
    blocked, go_on = Event(), Event()

    def work(name: str) -> None:
        begun.append(name)
        blocked.set()
        go_on.wait()

    async def main() -> None:
        lane = Lane("test", 1, wait=30)
        async with create_task_group() as group:
            group.start_soon(lane.run, work, "first")
            while not blocked.is_set():
                await sleep(0)
            with move_on_after(0.01):
                await lane.run(work, "second")
            go_on.set()
        await lane.run(work, "third")

    run(main)
    assert begun == ["first", "third"]


def test_a_lane_that_is_closed_has_done_its_work_and_has_no_threads() -> None:
    done: list[int] = []

    async def main() -> None:
        lane = Lane("closing", 2, wait=30)
        for n in range(4):
            await lane.run(done.append, n)
        lane.close()

    run(main)
    assert done == [0, 1, 2, 3]
    assert not [thread for thread in enumerate_threads() if thread.name.startswith("closing")]


def test_errors_leave_a_lane_as_they_are_and_free_it() -> None:
    async def main() -> None:
        lane = Lane("test", 1, wait=0.01)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await lane.run(divmod, 1, 0)

    run(main)


@pytest.mark.parametrize("container", ["memory", "sqlite"], indirect=True)
def test_writers_that_wait_do_not_keep_readers_waiting(container: Container) -> None:
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
                uow.items.add(Item(title="Sieve"))  # nobody else can write from now on
                for _ in range(8):
                    group.start_soon(write, client)
                for _ in range(8):
                    assert (await client.get("/items/")).status_code == 200
                assert statuses == []
        return statuses

    assert run(main) == [200] * 8
