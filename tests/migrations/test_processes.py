"""Several processes that migrate one database, and processes that are killed while they do."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext

import pytest
from alembic import command

from adapters.sql.engine.engines import parse_url
from adapters.sql.mapping.schema import REVISIONS
from adapters.sql.operations.migrations import config, migrate
from tests.migrations.processes import migrate_and_die, migrate_it
from tests.migrations.test_migrations import checksum, fill, wrong_search_texts

PROCESSES = 8


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.migrations.processes", "entrypoints.settings"])
    return context


@pytest.mark.parametrize("old", [None, REVISIONS[0]], ids=["empty", "old"])
def test_of_eight_processes_that_start_at_once_one_migrates(
    empty_url: str, context: ForkServerContext, old: str | None
) -> None:
    if old:
        migrate(parse_url(empty_url), old)
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        steps = list(pool.map(migrate_it, [empty_url] * PROCESSES))
    missing = len(REVISIONS) - (1 if old else 0)
    assert sorted(steps) == [0] * (PROCESSES - 1) + [missing]
    command.check(config(parse_url(empty_url)))


@pytest.mark.parametrize(("start", "end"), [("base", "head"), ("head", "base")], ids=["up", "down"])
def test_a_migration_that_was_killed_can_be_run_again(
    empty_url: str, context: ForkServerContext, start: str, end: str
) -> None:
    url = parse_url(empty_url)
    migrate(url, start)
    killed, finished = 0, False
    while not finished:
        process = context.Process(target=migrate_and_die, args=(empty_url, end, killed + 1))
        process.start()
        process.join()
        finished = process.exitcode == 0
        killed += not finished
        migrate(url, end)
        migrate(url)
        command.check(config(url))
        migrate(url, start)
    assert killed >= 2 * len(REVISIONS)


@pytest.mark.parametrize(("start", "end"), [("0002", "head"), ("head", "0002")], ids=["up", "down"])
def test_a_migration_of_rows_that_was_killed_can_be_run_again(
    empty_url: str, context: ForkServerContext, start: str, end: str
) -> None:
    url = parse_url(empty_url)
    migrate(url, "0002")
    fill(empty_url, 2_500)  # three batches
    before = checksum(empty_url)
    migrate(url, start)
    killed, finished = 0, False
    while not finished:
        process = context.Process(target=migrate_and_die, args=(empty_url, end, killed + 1))
        process.start()
        process.join()
        finished = process.exitcode == 0
        killed += not finished
        migrate(url, end)
        assert checksum(empty_url) == before
        migrate(url)
        assert (checksum(empty_url), wrong_search_texts(empty_url)) == (before, 0)
        migrate(url, start)
    assert killed >= 5
