"""Units of work that wait for each other, on the servers: elsewhere one writes at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, get_ident
from typing import Any

import pytest

from entrypoints.container import Container
from service_layer import retrying
from service_layer.errors import Deadlock
from service_layer.items import update_item
from service_layer.ports import UnitOfWork
from service_layer.read_models import ITEMS, PageParams
from service_layer.retrying import retry_on_deadlock
from tests.contract.stored import stored_item, stored_user

pytestmark = pytest.mark.parametrize("container", ["postgresql", "mariadb"], indirect=True)


class Meeting:
    """Where two threads wait for each other, each once.

    :ivar runs: how often they have come here, both together.
    """

    def __init__(self) -> None:
        self.runs = 0
        self._barrier = Barrier(2, timeout=30)
        self._met: set[int] = set()

    def __call__(self, *_: object) -> bool:
        self.runs += 1
        if get_ident() not in self._met:
            self._met.add(get_ident())
            self._barrier.wait()
        return True


def change_both(uow: UnitOfWork, user: int, item: int, meet: Callable[[], object]) -> None:
    with uow:
        uow.users.get(user).is_active = False
        meet()
        uow.items.get(item).description = "of somebody"
        uow.commit()


def deadlocked(container: Container, other: Callable[..., Any]) -> tuple[list[object], int]:
    """What comes of giving an item to a user while something has that user and wants the item; and how many runs."""
    user, item = stored_user(container.unit_of_work), stored_item(container.unit_of_work)
    meet = Meeting()

    def outcome(act: Callable[[], object]) -> object:
        try:
            act()
        except Deadlock:
            return Deadlock
        return None

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(
            outcome, lambda: update_item(container.unit_of_work(), item, {"owner_id": user}, precondition=meet)
        )
        two = pool.submit(outcome, lambda: other(container.unit_of_work(), user, item, meet))
        outcomes = [one.result(), two.result()]
    (row,) = container.unit_of_work().views.list(ITEMS, PageParams()).rows
    assert row["owner_id"] == user  # it was given, in the first run or in the second
    assert (row["description"] == "of somebody") == (outcomes[1] is None)
    return outcomes, meet.runs


def test_of_two_that_wait_for_each_other_one_is_undone_and_done_once_more(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "_RETRY_DELAY", 1)  # however slow the machine is, the other is done by then
    outcomes, runs = deadlocked(container, retry_on_deadlock(change_both))
    assert (outcomes, runs) == ([None, None], 3)


def test_one_that_is_undone_and_not_done_again_is_told_that_it_was_a_deadlock(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "_RETRY_DELAY", 1)
    outcomes, runs = deadlocked(container, change_both)
    assert outcomes[0] is None
    assert runs == 3 - (outcomes[1] is Deadlock)
