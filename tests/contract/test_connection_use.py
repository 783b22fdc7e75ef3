"""What a store tells of its connections."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from time import monotonic, sleep

import pytest

from domain.items import Item
from entrypoints.container import Container, SqlContainer
from service_layer.ports import ConnectionUse
from service_layer.read_models import ITEMS

IDLE = {kind: ConnectionUse(in_use=0, waiting=0) for kind in ("reading", "scanning", "writing")}


@pytest.mark.parametrize("container", ["memory"], indirect=True)
def test_where_there_are_no_connections_there_is_nothing_to_tell(container: Container) -> None:
    assert dict(container.store().connections) == {}


@pytest.mark.parametrize("container", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_connections_are_in_use_for_as_long_as_they_are(container: Container) -> None:
    assert container.store().connections == IDLE
    with container.unit_of_work() as uow:
        uow.items.add(Item(title="Towel"))
        assert container.store().connections == IDLE | {"writing": ConnectionUse(in_use=1, waiting=0)}
    assert container.store().connections == IDLE


@pytest.mark.parametrize("container", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_who_waits_for_a_connection_is_counted(container: SqlContainer) -> None:
    with ThreadPoolExecutor() as pool, ExitStack() as stack:
        for _ in range(container.engines().reader.pool.size()):  # type: ignore[attr-defined]  # it has one
            stack.enter_context(container.engines().reader.connect())
        late = pool.submit(container.unit_of_work().views.read, ITEMS, 1)
        deadline = monotonic() + 60
        while container.store().connections["reading"].waiting == 0:
            assert monotonic() < deadline
            sleep(0.001)
        stack.close()
        assert late.result() is None
    assert container.store().connections == IDLE
