"""Use cases that lose a deadlock are done once more, on the store in memory."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.memory.store import InMemoryStore, InMemoryUnitOfWork
from service_layer import retrying
from service_layer.errors import Deadlock
from service_layer.idempotency import IdempotentRequest
from service_layer.items import create_item, create_items, delete_item, update_item
from service_layer.ports import UnitOfWork
from service_layer.read_models import ITEMS, USERS, PageParams
from service_layer.users import create_user, delete_user, update_user


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_RETRY_DELAY", 0)


ATTEMPT = IdempotentRequest(key="1", fingerprint="a request", now=1_000)


class Hasher:
    """Not safe, but quick."""

    def hash(self, password: str) -> str:
        return "x"

    def fingerprint(self, password: str, salt: str) -> str:
        return "x"


class DeadlockedUnitOfWork(InMemoryUnitOfWork):
    """Loses a deadlock each time it commits, until there are none left."""

    deadlocks = 0

    def commit(self) -> None:
        if self.deadlocks:
            self.flush()
            self.deadlocks -= 1
            raise Deadlock
        super().commit()


@pytest.fixture
def uow() -> DeadlockedUnitOfWork:
    """With user 1 and their item 1."""
    uow = DeadlockedUnitOfWork(InMemoryStore())
    create_user(uow, Hasher(), email="a@example.com", password="long enough")
    create_item(uow, title="Towel", owner_id=1)
    return uow


UseCase = Callable[[UnitOfWork], Any]
USE_CASES: dict[str, UseCase] = {
    "create_user": lambda uow: create_user(
        uow, Hasher(), email="b@example.com", password="long enough", idempotency=ATTEMPT
    ),
    "change_user": lambda uow: update_user(uow, Hasher(), 1, {"is_active": False}, precondition=bool),
    "remove_user": lambda uow: delete_user(uow, 1, precondition=bool),
    "create_item": lambda uow: create_item(uow, title="Sieve", owner_id=1, idempotency=ATTEMPT),
    "create_items": lambda uow: create_items(uow, [{"title": "Sieve"}, {"title": "Spoon"}], idempotency=ATTEMPT),
    "change_item": lambda uow: update_item(uow, 1, {"title": "Sieve", "owner_id": None}, precondition=bool),
    "remove_item": lambda uow: delete_item(uow, 1, precondition=bool),
}


def everything(uow: UnitOfWork) -> list[object]:
    """All that can be seen, but for ids, as those of the first run are gone."""
    users, items = uow.views.list(USERS, PageParams()).rows, uow.views.list(ITEMS, PageParams()).rows
    seen = [{**user, "id": 0, "items": len(user["items"])} for user in users]
    return [*seen, *({**item, "id": 0} for item in items)]


@pytest.mark.parametrize("name", USE_CASES)
def test_a_use_case_that_loses_a_deadlock_is_done_once_more(uow: DeadlockedUnitOfWork, name: str) -> None:
    other = DeadlockedUnitOfWork(InMemoryStore())
    create_user(other, Hasher(), email="a@example.com", password="long enough")
    create_item(other, title="Towel", owner_id=1)
    uow.deadlocks = 1
    USE_CASES[name](uow)
    USE_CASES[name](other)
    assert everything(uow) == everything(other)


@pytest.mark.parametrize("name", USE_CASES)
def test_one_that_loses_twice_is_a_deadlock_and_changes_nothing(uow: DeadlockedUnitOfWork, name: str) -> None:
    before = everything(uow)
    uow.deadlocks = 2
    with pytest.raises(Deadlock):
        USE_CASES[name](uow)
    assert (uow.deadlocks, everything(uow)) == (0, before)
