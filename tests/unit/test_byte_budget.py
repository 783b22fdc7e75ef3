"""Which clients are disconnected when too many bytes are held."""

from time import monotonic

from starlette.types import Scope

from entrypoints.api.http.byte_budget import DISCONNECT, ByteBudget, HeldBytes


class Clients:
    """Clients for each of which 40 of 100 bytes are held."""

    def __init__(self, *, small: int = 0, reserve: int = 0) -> None:
        self.budget = ByteBudget(100, small=small, reserve=reserve)
        self.disconnected: list[str] = []

    def add(self, name: str, *, waits: float | None, size: int = 40, can_be_disconnected: bool = True) -> HeldBytes:
        """A client for which the service has been waiting for so many seconds."""
        disconnect = {DISCONNECT: lambda: self.disconnected.append(name)}
        scope: Scope = {"extensions": disconnect} if can_be_disconnected else {}
        held = self.budget.hold(scope)
        self.budget.add(held, size)
        held.waiting_since = None if waits is None else monotonic() - waits
        return held

    def make_room(self, size: int) -> bool:
        """Make room for another client; ``has_room`` must have said the same."""
        had_room = self.budget.has_room(size)
        has_room = self.budget.make_room(self.budget.hold({}), size)
        assert had_room == has_room
        return has_room


def test_nobody_is_disconnected_while_there_is_room() -> None:
    clients = Clients()
    clients.add("first", waits=60)
    assert clients.make_room(60)
    assert clients.disconnected == []


def test_clients_that_have_been_slow_for_longest_are_disconnected_until_there_is_room() -> None:
    clients = Clients()
    for name, waits in (("second", 20.0), ("first", 30.0), ("third", 10.0)):
        clients.add(name, waits=waits, size=30)
    assert clients.make_room(60)
    assert (clients.disconnected, clients.budget.size) == (["first", "second"], 30)


def test_nobody_is_disconnected_in_vain() -> None:
    clients = Clients()
    clients.add("slow", waits=60)
    clients.add("busy", waits=None)
    assert not clients.make_room(61)
    assert clients.disconnected == []
    assert clients.make_room(60)
    assert clients.disconnected == ["slow"]


def test_the_reserve_is_for_clients_for_whom_little_is_held() -> None:
    clients = Clients(small=20, reserve=30)
    first, second = (clients.add(name, waits=None, size=20) for name in ("first", "second"))
    assert clients.make_room(20)
    assert not clients.budget.make_room(first, 31)
    assert clients.budget.make_room(first, 30)
    clients.budget.add(first, 30)
    assert (clients.make_room(20), clients.make_room(21)) == (True, False)
    assert not clients.budget.make_room(second, 1)


def test_only_slow_clients_for_which_bytes_are_held_are_disconnected() -> None:
    clients = Clients()
    clients.add("waits for the service", waits=None)
    clients.add("has just begun", waits=0.1)
    clients.add("has nothing", waits=60, size=0)
    clients.add("is connected to another server", waits=60, size=20, can_be_disconnected=False)
    assert not clients.make_room(1)
    assert clients.disconnected == []


def test_bytes_of_a_client_that_was_disconnected_are_not_subtracted_twice() -> None:
    clients = Clients()
    held = clients.add("slow", waits=60)
    assert clients.make_room(90)
    clients.budget.add(held, 10)  # what arrived before the connection was closed
    clients.budget.release(held)
    assert clients.budget.size == 0
