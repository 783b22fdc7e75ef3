"""Races at length: run with ``pytest -m long``. The contract suite runs short ones every time."""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from random import Random

import pytest
from anyio import create_task_group, run
from httpx2 import ASGITransport, AsyncClient

from domain.items import Item
from entrypoints.api.app import create_app
from entrypoints.container import Container
from service_layer.ports import UnitOfWork
from service_layer.read_models import ITEMS, USERS, PageParams
from tests.conftest import Databases, container_for
from tests.databases import ALL

pytestmark = pytest.mark.long

ROUNDS, AT_ONCE = 200, 32
PROCESSES, THREADS, WRITES, ROWS = 4, 4, 20_000, 16


def test_each_round_of_simultaneous_sign_ups_has_one_winner(container: Container) -> None:
    app = create_app(container)

    async def rounds() -> list[Counter[int]]:
        outcomes = []
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://belongings") as client,
        ):
            for n in range(ROUNDS):
                statuses: Counter[int] = Counter()

                async def sign_up(n: int, statuses: Counter[int]) -> None:
                    body = {"email": f"{n}@example.com", "password": "long enough"}
                    statuses[(await client.post("/users/", json=body, timeout=60)).status_code] += 1

                async with create_task_group() as group:
                    for _ in range(AT_ONCE):
                        group.start_soon(sign_up, n, statuses)
                outcomes.append(statuses)
        return outcomes

    assert run(rounds) == [{200: 1, 400: AT_ONCE - 1}] * ROUNDS
    views, users, after = container.unit_of_work().views, 0, 0
    while page := views.list(USERS, PageParams(after=after)).rows:
        users, after = users + len(page), page[-1]["id"]
    assert users == ROUNDS


def increment(uow: UnitOfWork, id: int) -> None:
    """Add one to the number in an item's title; who gets the item waits for those who got it before."""
    with uow:
        item = uow.items.get(id)
        item.title = str(int(item.title) + 1)
        uow.commit()


def increment_many(container: Container, ids: list[int], seed: int) -> None:
    """A share of all writes, by several threads."""

    def share(thread: int) -> None:
        random, uow = Random(seed * THREADS + thread), container.unit_of_work()
        for _ in range(WRITES // PROCESSES // THREADS):
            increment(uow, random.choice(ids))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(share, range(THREADS)))


def in_another_process(url: str, ids: list[int], seed: int) -> None:
    container = container_for(url)
    container.store()  # maps the domain
    increment_many(container, ids, seed)


@pytest.mark.parametrize("kind", ALL)
def test_many_writers_lose_no_update_and_meet_no_conflict(databases: Databases, kind: str) -> None:
    container = databases.migrated(kind)
    container.store()
    with container.unit_of_work() as uow:
        items = [Item(title="0") for _ in range(ROWS)]
        for item in items:
            uow.items.add(item)
        uow.commit()
    ids = [item.id or 0 for item in items]
    if kind == "memory":
        with ThreadPoolExecutor(PROCESSES) as threads:
            list(threads.map(partial(increment_many, container, ids), range(PROCESSES)))
    else:
        url = container.url().render_as_string(hide_password=False)
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("forkserver")) as processes:
            list(processes.map(partial(in_another_process, url, ids), range(PROCESSES)))
    views = container.unit_of_work().views
    assert sum(int(item["title"]) for item in views.list(ITEMS, PageParams()).rows) == WRITES
