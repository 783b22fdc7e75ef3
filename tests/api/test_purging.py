"""Rows that are marked as removed are deleted in the background."""

from time import monotonic

import pytest
from anyio import run, sleep, to_thread
from httpx2 import ASGITransport, AsyncClient

from adapters.sql.mapping import removals
from entrypoints.api import purging
from entrypoints.api.app import create_app
from entrypoints.container import SqlContainer
from service_layer.errors import StorageUnavailable
from tests.contract.stored import rich_user, rows_of_items
from tests.databases import SQL

HANGS = 60.0
"""Seconds after which a test fails instead of waiting longer."""


async def until_purged(container: SqlContainer) -> None:
    until = monotonic() + HANGS
    while await to_thread.run_sync(rows_of_items, container):
        assert monotonic() < until
        await sleep(0.02)


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "_POLL_INTERVAL", 0.01)


@pytest.mark.parametrize("container", SQL, indirect=True)
def test_items_of_a_deleted_user_are_purged_while_the_application_runs_and_after_a_restart(
    container: SqlContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(container)
    monkeypatch.setattr(removals, "DIRECT_DELETE_MAX", 10)

    async def main() -> None:
        async with AsyncClient(transport=ASGITransport(app), base_url="http://belongings") as client:
            rich = rich_user(container, 300)
            with container.unit_of_work() as uow:  # before the application runs, as if it had been killed
                uow.users.remove(uow.users.get(rich))
                uow.commit()
            assert rows_of_items(container) == 300
            async with app.router.lifespan_context(app):
                assert (await client.get(f"/users/{rich}")).status_code == 404
                await until_purged(container)
                rich = rich_user(container, 300)
                assert (await client.delete(f"/users/{rich}")).status_code == 200
                assert (await client.get("/items/")).json() == []
                await until_purged(container)

    run(main)


def test_a_failed_purge_is_retried(monkeypatch: pytest.MonkeyPatch, container: SqlContainer) -> None:
    errors = [StorageUnavailable("away"), ZeroDivisionError()]
    store = container.store()

    def fail_twice() -> bool:
        if errors:
            raise errors.pop(0)
        return False

    monkeypatch.setattr(store, "purge", fail_twice)
    app = create_app(container)

    async def main() -> None:
        until = monotonic() + HANGS
        async with app.router.lifespan_context(app):
            while errors:
                assert monotonic() < until
                await sleep(0.01)

    run(main)
