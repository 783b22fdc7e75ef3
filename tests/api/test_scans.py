"""Work that could keep the database busy by itself, scans and batches, does not block other requests."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from threading import Event
from typing import Any, cast

import pytest
from anyio import create_task_group, run
from httpx2 import ASGITransport, AsyncClient, Response
from pydantic import SecretStr
from sqlalchemy import event, insert

from adapters.sql.mapping import removals, tables
from domain.users import User
from entrypoints.api.app import create_app
from entrypoints.container import Container, SqlContainer, build_container
from entrypoints.settings import Settings
from service_layer import items
from service_layer.aggregates import Filter
from service_layer.ports import UnitOfWork
from service_layer.read_models import ITEMS, ItemView, Page, PageParams
from service_layer.scans import is_scan
from service_layer.users import delete_user
from tests.api.problems import expect_problem
from tests.contract.stored import rich_user, stored_item
from tests.databases import SQL

MANY = 20_000
FEW_STEPS = 10_000
"""Steps of SQLite's virtual machine. A page of 101 rows takes up to 7,000; skipping a quarter of all rows, 20,000."""


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[PageParams, Filter], int]]:
    """Counts the steps of SQLite for a list of many items. Every second item has a price, every third the same owner;
    all but the first and the last have the same title."""
    file = tmp_path_factory.mktemp("many") / "many.db"
    settings = Settings(database_url=SecretStr(f"sqlite:///{file}"))
    container = cast(SqlContainer, build_container(settings))
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    def count_steps(page: PageParams, item_filter: Filter) -> int:
        before = taken
        container.unit_of_work().views.list(ITEMS, page, item_filter)
        return 100 * (taken - before)

    for engine in (container.engines().reader, container.engines().scanner):
        event.listen(engine, "connect", lambda driver, _: driver.set_progress_handler(count, 100))
    container.store().prepare()
    with container.unit_of_work() as uow:
        uow.users.add(User(email="rick@example.com", hashed_password="none"))
        uow.commit()
    rows = [
        {
            "title": "Towel" if 0 < n < MANY - 1 else f"{n}",
            "price": Decimal(n) if n % 2 else None,
            "owner_id": None if n % 3 else 1,
            "version": 1,
            "search_text": "towel",
        }
        for n in range(MANY)
    ]
    with container.engines().writer.begin() as connection:
        connection.execute(insert(tables.items), rows)
    yield count_steps
    container.store().close()


SORTS = [sign + column for column in ("id", *ITEMS.sorts) for sign in ("", "-")]
FILTERS: list[dict[str, Any]] = [
    {},
    *({"owner_id": owner} for owner in (1, 2, None)),
    *({"title": title} for title in ("Towel", "Sieve")),
    {"min_price": Decimal(2), "max_price": Decimal("2.5")},
    {"min_price": Decimal(2)},
    {"q": "zebra"},
]
PLACES: dict[str, list[dict[str, Any]]] = {
    "id": [{}, {"after": MANY // 2}],
    "title": [{}, {"after": MANY // 2, "after_value": "Towel"}],
    "price": [{}, {"after": MANY // 2, "after_value": Decimal(MANY // 2 - 1)}, {"after": MANY // 2 + 1}],
}


def test_lists_that_are_not_scans_take_few_steps_for_any_number_of_rows(
    steps: Callable[[PageParams, Filter], int],
) -> None:
    quick = [
        (page, item_filter)
        for sort, item_filter in product(SORTS, FILTERS)
        for place in PLACES[sort.removeprefix("-")]
        if not is_scan(ITEMS, page := PageParams(sort=sort, **place), item_filter)
    ]
    assert len(quick) == 46
    assert [(*case, took) for case in quick if (took := steps(*case)) > FEW_STEPS] == []
    assert steps(PageParams(), {"q": "zebra"}) > FEW_STEPS


def test_many_searches_do_not_block_other_requests(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    searching, go_on = Event(), Event()
    find = items.list_items

    def list_slowly(uow: UnitOfWork, page: PageParams, item_filter: Filter, *, count: bool) -> Page[ItemView]:
        if "q" in item_filter or count:
            searching.set()
            go_on.wait()
        return find(uow, page, item_filter, count=count)

    monkeypatch.setattr(items, "list_items", list_slowly)
    settings = container.settings().model_copy(update={"requests": 50, "pool_wait": 0.5})

    async def main() -> list[Response]:
        responses: list[Response] = []

        async def search(client: AsyncClient, n: int) -> None:
            headers = {"Prefer": "count=exact"} if n % 2 else {}
            responses.append(await client.get("/items/" if n % 2 else "/items/?q=towel", headers=headers))

        app = create_app(container)
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://belongings", timeout=60) as client,
        ):
            made = (await client.post("/items/", json={"title": "Towel"})).json()
            async with create_task_group() as group:
                for n in range(60):
                    group.start_soon(search, client, n)
                while len(responses) < 59:  # all but the one that runs
                    assert (await client.get(f"/items/{made['id']}")).json() == made
                    assert (await client.get("/items/")).json() == [made]
                    assert (await client.get("/health/ready")).status_code == 200
                go_on.set()
            assert (await client.get("/items/?q=towel")).json() == [made]
        return responses

    with container.settings.override(settings):
        *refused, done = run(main)
    assert searching.is_set()
    assert done.status_code == 200
    for response in refused:
        expect_problem(response, 503, "database-unavailable")
        assert response.headers["Retry-After"] == "1"


def test_many_batches_do_not_block_other_writes(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    started, go_on = Event(), Event()
    create = items.create_items

    def create_slowly(*args: Any, **named: Any) -> Any:
        started.set()
        go_on.wait()
        return create(*args, **named)

    monkeypatch.setattr(items, "create_items", create_slowly)
    settings = container.settings().model_copy(update={"requests": 50, "pool_wait": 0.5})

    async def main() -> list[int]:
        statuses: list[int] = []

        async def send(client: AsyncClient) -> None:
            statuses.append((await client.post("/items/batch", json=[{"title": "Towel"}])).status_code)

        app = create_app(container)
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://belongings", timeout=60) as client,
            create_task_group() as group,
        ):
            for _ in range(30):
                group.start_soon(send, client)
            while len(statuses) < 29:  # all but the one that runs
                made = await client.post("/items/", json={"title": "Sieve"})
                assert (await client.patch(made.headers["Location"], json={"price": 1})).status_code == 200
            go_on.set()
        return statuses

    with container.settings.override(settings):
        *refused, done = run(main)
    assert started.is_set()
    assert (set(refused), done) == ({503}, 200)


@pytest.mark.parametrize("container", SQL, indirect=True)
def test_lists_that_pass_over_hidden_items_do_not_block_other_requests(
    container: SqlContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "DIRECT_DELETE_MAX", 5)
    monkeypatch.setattr(container.store(), "purge", lambda: False)
    rich, item = rich_user(container, 10), stored_item(container.unit_of_work)
    delete_user(container.unit_of_work(), rich)
    go_on = Event()

    async def main() -> list[int]:
        statuses: list[int] = []

        async def list_items(client: AsyncClient) -> None:
            response = await client.get("/items/")
            statuses.append(response.status_code)
            assert [each["id"] for each in response.json()] == [item]

        app = create_app(container)
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://belongings", timeout=60) as client,
            create_task_group() as group,
        ):
            pool = app.state.thread_pools.scanning
            for _ in range(container.settings().scan_threads):
                group.start_soon(pool.run, go_on.wait)
            for _ in range(30):
                group.start_soon(list_items, client)
            while pool.waiting < 30:
                assert (await client.get(f"/items/{item}")).status_code == 200
            for _ in range(10):
                assert (await client.get(f"/items/{item}")).status_code == 200
            assert (await client.get(f"/items/?owner_id={rich}")).json() == []
            assert (await client.get(f"/users/{rich}/items/")).status_code == 404
            assert statuses == []
            go_on.set()
        return statuses

    assert run(main) == [200] * 30
