"""SQLite's write-ahead log stays bounded while reads overlap."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import cast

import pytest
from sqlalchemy.exc import OperationalError

from adapters.sql.engine import log_limit
from domain.items import DESCRIPTION_MAX_LENGTH
from entrypoints.container import SqlContainer
from service_layer.read_models import ITEMS, PageParams
from tests.conftest import container_for
from tests.contract.stored import rich_user, stored_item

LIMIT = 5 * 2**20
"""More than SQLite's own limit, at which it restarts the log if there are no readers."""

LARGE = "\U0001f600" * DESCRIPTION_MAX_LENGTH
"""With which an item adds some 80 KiB to the log."""

AT_ONCE = 2**18
"""More bytes than one such item adds."""

WRITES = 80


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlContainer]:
    """A container on a SQLite file whose log may have five megabytes."""
    monkeypatch.setattr(log_limit, "LOG_MAX", LIMIT)
    monkeypatch.setattr(log_limit, "_CHECK_INTERVAL", 0.0)
    container = cast(SqlContainer, container_for(f"sqlite:///{tmp_path}/belongings.db"))
    container.store().prepare()
    yield container
    container.store().close()


def log_sizes(container: SqlContainer, writes: int) -> Iterator[int]:
    """How many bytes the log has after each of so many writes."""
    for _ in range(writes):
        stored_item(container.unit_of_work, description=LARGE)
        yield Path(f"{container.url().database}-wal").stat().st_size


def test_the_log_keeps_to_its_limit_while_searches_overlap_and_none_fails(container: SqlContainer) -> None:
    rich_user(container, 30_000)
    done = Event()

    def search() -> int:
        found = 0
        while not done.is_set():
            found += len(container.unit_of_work().views.list(ITEMS, PageParams(), {"q": "zebra"}).rows)
        return found

    with ThreadPoolExecutor(3) as threads:
        searches = [threads.submit(search) for _ in range(3)]
        try:
            sizes = list(log_sizes(container, WRITES))
        finally:
            done.set()
        assert [each.result() for each in searches] == [0, 0, 0]
    assert max(sizes) < LIMIT + AT_ONCE


def test_a_read_that_takes_long_is_interrupted_when_the_log_is_begun_anew(container: SqlContainer) -> None:
    stored_item(container.unit_of_work)
    endless = "WITH RECURSIVE n(x) AS (SELECT id FROM items UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with container.engines().reader.connect() as connection, ThreadPoolExecutor(1) as threads:
        running = threads.submit(connection.exec_driver_sql, endless)
        with suppress(StopIteration):
            sizes = log_sizes(container, WRITES)
            while not running.done():
                assert next(sizes) < LIMIT + AT_ONCE
        with pytest.raises(OperationalError, match="interrupted"):
            running.result(timeout=60)


def test_a_read_that_was_interrupted_for_the_log_runs_again(container: SqlContainer) -> None:
    rich_user(container, 2_000)
    interruptions = iter([True])
    with container.engines().scanner.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        driver.set_progress_handler(lambda: next(interruptions, False), 1)
    assert container.unit_of_work().views.list(ITEMS, PageParams(), {"q": "zebra"}).rows == []
    assert next(interruptions, None) is None
