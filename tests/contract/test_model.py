"""Every store does what dictionaries would, whatever is asked of it and in whatever order."""

from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import delete

from adapters.sql.mapping import tables
from entrypoints.container import Container, SqlContainer
from tests.conftest import Databases
from tests.contract.machine import AnyStore
from tests.databases import ALL


def run(databases: Databases, kind: str, *, runs: int, steps: int) -> None:
    """Run the machine on this kind of store, each time with nothing in it."""
    container = databases.migrated(kind)

    class EmptiedStore(AnyStore):
        def __init__(self) -> None:
            super().__init__((databases.migrated(kind) if kind == "memory" else emptied(container)).unit_of_work)

    run_state_machine_as_test(
        EmptiedStore,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            derandomize=True,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


def emptied(container: Container) -> Container:
    with cast(SqlContainer, container).engines().writer.begin() as connection:
        connection.execute(delete(tables.items))
        connection.execute(delete(tables.users))
        connection.execute(delete(tables.idempotency_keys))
    return container


@pytest.mark.parametrize("kind", ALL)
def test_a_store_does_what_dictionaries_would(databases: Databases, kind: str) -> None:
    run(databases, kind, runs=40, steps=25)


@pytest.mark.long
@pytest.mark.parametrize("kind", ALL)
def test_a_store_does_what_dictionaries_would_for_long(databases: Databases, kind: str) -> None:
    run(databases, kind, runs=2_000, steps=50)
