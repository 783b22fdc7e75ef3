"""Removing a user with a million items does not make other writes wait."""

from time import monotonic

import pytest
from anyio import run, sleep, to_thread
from httpx2 import ASGITransport, AsyncClient

from entrypoints.api import purging
from entrypoints.api.app import create_app
from entrypoints.container import SqlContainer
from tests.contract.stored import rich_user, rows_of_items
from tests.faults.conftest import Figure


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "_POLL_INTERVAL", 0.1)


@pytest.mark.parametrize("container", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("count", "longest"), [(20_000, 2.0), pytest.param(1_000_000, 1.0, marks=pytest.mark.long)])
def test_while_a_user_with_many_items_is_removed_no_other_write_waits_for_long(
    container: SqlContainer, figure: Figure, count: int, longest: float
) -> None:
    app = create_app(container)
    rich = rich_user(container, count)
    waits: list[float] = []
    statuses: set[int] = set()

    async def main() -> float:
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://belongings") as client,
        ):
            begun = monotonic()
            statuses.add((await client.delete(f"/users/{rich}")).status_code)
            waits.append(monotonic() - begun)
            assert (await client.get("/items/")).json() == []
            while await to_thread.run_sync(rows_of_items, container):
                start = monotonic()
                statuses.add((await client.post("/items/", json={"title": "Spoon"})).status_code)
                waits.append(monotonic() - start)
                await sleep(0.01)
            return monotonic() - begun

    seconds = run(main)
    figure(f"{count:,} items in {seconds:.1f} s; {len(waits):,} writes beside it, the slowest in {max(waits):.2f} s")
    assert statuses == {200}
    assert max(waits) < longest
