"""Who gets something has it for themselves until the end of the unit of work; on every adapter."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from time import sleep
from typing import Any, cast

import pytest

from domain.errors import BelongingsError, ItemNotFound, UserNotFound
from domain.items import Item
from domain.users import User
from entrypoints.container import SqlContainer, build_container
from entrypoints.settings import Settings
from service_layer.errors import StorageUnavailable
from service_layer.ports import UnitOfWork
from service_layer.read_models import ITEMS, USERS, PageParams
from tests.conftest import Databases
from tests.contract.stored import Units, stored_item, stored_user
from tests.databases import ALL

Act = Callable[[UnitOfWork, int, int], Any]
"""Something that a unit of work does with this user and this item, which is somebody else's."""


@contextmanager
def units_with(databases: Databases, kind: str, **settings: Any) -> Iterator[Units]:
    """Units of work on this kind of store, with these settings."""
    url = "memory://"
    if kind != "memory":
        url = cast(SqlContainer, databases.migrated(kind)).url().render_as_string(hide_password=False)
    container = build_container(Settings.model_validate({"database_url": url, **settings}))
    container.store()
    yield container.unit_of_work
    container.store().close()


@pytest.fixture(params=ALL)
def impatient(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Units]:
    """Units of work with the shortest timeouts, on each kind of store in turn."""
    with units_with(databases, request.param, pool_wait=0.05, statement_wait=1, threads=6) as units:
        yield units


def update_user(uow: UnitOfWork, user: int, item: int) -> None:
    uow.users.get(user).is_active = False


def delete_user(uow: UnitOfWork, user: int, item: int) -> None:
    uow.users.remove(uow.users.get(user))


def add_item_for_user(uow: UnitOfWork, user: int, item: int) -> None:
    uow.items.add(Item(title="Sieve", owner_id=user))


def give_item_to_user(uow: UnitOfWork, user: int, item: int) -> None:
    uow.items.get(item).owner_id = user


def update_item(uow: UnitOfWork, user: int, item: int) -> None:
    uow.items.get(item).title = "Sieve"


def delete_item(uow: UnitOfWork, user: int, item: int) -> None:
    uow.items.remove(uow.items.get(item))


def get_user(uow: UnitOfWork, user: int, item: int) -> User:
    return uow.users.get(user)


def get_item(uow: UnitOfWork, user: int, item: int) -> Item:
    return uow.items.get(item)


WITH_USER: list[Act] = [update_user, delete_user, add_item_for_user, give_item_to_user, get_user]
WITH_ITEM: list[Act] = [update_item, delete_item, give_item_to_user, get_item]


def outcome(uow: UnitOfWork, act: Act, user: int, item: int) -> object:
    """What comes of doing this: what is returned or the kind of error that is raised."""
    try:
        with uow:
            result = act(uow, user, item)
            uow.commit()
    except BelongingsError as error:
        return type(error)
    return result


@pytest.mark.parametrize(("get", "acts"), [(get_user, WITH_USER), (get_item, WITH_ITEM)])
def test_while_somebody_has_it_nobody_else_can_get_change_or_remove_it_or_give_them_an_item(
    impatient: Units, get: Act, acts: list[Act]
) -> None:
    user, item = stored_user(impatient), stored_item(impatient)
    shown = impatient().views.list(USERS, PageParams()), impatient().views.list(ITEMS, PageParams())
    with impatient() as first, ThreadPoolExecutor(len(acts)) as threads:
        get(first, user, item)
        told = {act.__name__: threads.submit(outcome, impatient(), act, user, item) for act in acts}
        assert {name: each.result() for name, each in told.items()} == dict.fromkeys(told, StorageUnavailable)
    assert (impatient().views.list(USERS, PageParams()), impatient().views.list(ITEMS, PageParams())) == shown


def test_while_somebody_has_a_users_items_locked_nobody_else_can_get_change_or_remove_one(impatient: Units) -> None:
    user = stored_user(impatient)
    item = stored_item(impatient, owner_id=user)
    with impatient() as first, ThreadPoolExecutor(len(WITH_ITEM)) as threads:
        first.items.find("owner_id", user, 100, for_update=True)
        told = {act.__name__: threads.submit(outcome, impatient(), act, user, item) for act in WITH_ITEM}
        assert {name: each.result() for name, each in told.items()} == dict.fromkeys(told, StorageUnavailable)


@pytest.mark.parametrize("impatient", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("for_update", [True, False])
def test_a_users_items_are_had_without_waiting_for_those_of_others(impatient: Units, for_update: bool) -> None:
    """Where writers do not take turns anyway; there is little else, and a database might look through everybody's."""
    user, other = stored_user(impatient), stored_user(impatient, "b@example.com")
    own = [stored_item(impatient, owner_id=user) for _ in range(20)]
    theirs = stored_item(impatient, owner_id=other)
    with impatient() as first, impatient() as second:
        first.items.get(theirs)
        if not for_update:
            first.items.get(own[0])
        assert [item.id for item in second.items.find("owner_id", user, 100, for_update=for_update)] == own


@pytest.mark.parametrize("get", [get_user, get_item])
def test_what_was_got_before_cannot_be_changed_either_while_somebody_has_it(impatient: Units, get: Act) -> None:
    user, item = stored_user(impatient), stored_item(impatient)
    with impatient() as second:
        update_user(second, user, item)
        update_item(second, user, item)
        second.commit()  # the transaction ends, the entities stay
        held = second.users.get(user), second.items.get(item)
        second.commit()
        with impatient() as first:
            get(first, user, item)
            if get is get_user:
                held[0].is_active = True
            else:
                held[1].title = "Spoon"
            with pytest.raises(StorageUnavailable):
                second.commit()
    shown = impatient().views.read(USERS, user), impatient().views.read(ITEMS, item)
    assert shown[0] is not None
    assert shown[1] is not None
    assert (shown[0]["is_active"], shown[1]["title"]) == (False, "Sieve")


def test_what_somebody_has_can_be_read_by_all(unit_of_work: Units) -> None:
    user = stored_user(unit_of_work)
    item = stored_item(unit_of_work, owner_id=user)
    with unit_of_work() as uow:
        uow.users.get(user).is_active = False
        uow.items.get(item).title = "Sieve"
        uow.items.add(Item(title="Spoon"))  # so both changes are written, and not committed
        for views in (uow.views, unit_of_work().views):
            shown = views.read(USERS, user)
            assert shown is not None
            assert (shown["is_active"], shown["items"]) == (True, [views.read(ITEMS, item)])
            assert shown["items"][0]["title"] == "Towel"
            assert (views.count(USERS), views.count(ITEMS)) == (1, 1)


def after(units: Units, first: Act, second: Act, user: int, item: int) -> object:
    """What comes of the second act, which is begun in another thread between the first one and its commit."""
    begun = Event()

    def begin(uow: UnitOfWork, user: int, item: int) -> object:
        begun.set()
        return second(uow, user, item)

    with ThreadPoolExecutor(1) as threads:
        with units() as uow:
            first(uow, user, item)
            waiting = threads.submit(outcome, units(), begin, user, item)
            begun.wait(timeout=60)
            sleep(0.02)  # in which it comes to wait, where it must
            uow.commit()
        return waiting.result()


def test_who_waits_for_a_user_sees_what_was_changed(unit_of_work: Units) -> None:
    user, item = stored_user(unit_of_work), stored_item(unit_of_work)
    got = after(unit_of_work, update_user, get_user, user, item)
    assert isinstance(got, User)
    assert (got.is_active, got.version) == (False, 2)


def test_who_waits_for_an_item_sees_what_was_changed(unit_of_work: Units) -> None:
    user, item = stored_user(unit_of_work), stored_item(unit_of_work)
    got = after(unit_of_work, update_item, get_item, user, item)
    assert isinstance(got, Item)
    assert (got.title, got.version) == ("Sieve", 2)


def test_two_changes_of_one_item_are_both_kept(unit_of_work: Units) -> None:
    user, item = stored_user(unit_of_work), stored_item(unit_of_work)
    assert after(unit_of_work, update_item, give_item_to_user, user, item) is None
    shown = unit_of_work().views.read(ITEMS, item)
    assert shown is not None
    assert (shown["title"], shown["owner_id"]) == ("Sieve", user)


@pytest.mark.parametrize(
    ("remove", "act", "error"),
    [(delete_user, act, UserNotFound) for act in WITH_USER] + [(delete_item, act, ItemNotFound) for act in WITH_ITEM],
)
def test_who_waits_for_what_is_removed_is_told_that_it_is_gone(
    unit_of_work: Units, remove: Act, act: Act, error: type[BelongingsError]
) -> None:
    user, item = stored_user(unit_of_work), stored_item(unit_of_work)
    assert after(unit_of_work, remove, act, user, item) is error


def test_who_waits_for_a_user_who_is_removed_may_go_on_when_an_item_for_them_is_refused(unit_of_work: Units) -> None:
    def add_two(uow: UnitOfWork, user: int, item: int) -> int:
        refused = 0
        for _ in range(2):
            try:
                add_item_for_user(uow, user, item)
            except UserNotFound:
                refused += 1
        uow.items.add(Item(title="Spoon"))
        return refused

    assert after(unit_of_work, delete_user, add_two, stored_user(unit_of_work), 0) == 2
    assert unit_of_work().views.count(ITEMS) == 1


@pytest.mark.parametrize("act", [add_item_for_user, give_item_to_user])
def test_who_waits_to_give_an_item_to_a_user_who_stays_gives_it(unit_of_work: Units, act: Act) -> None:
    user, item = stored_user(unit_of_work), stored_item(unit_of_work)
    assert after(unit_of_work, update_user, act, user, item) is None
    shown = unit_of_work().views.read(USERS, user)
    assert shown is not None
    assert (shown["is_active"], len(shown["items"])) == (False, 1)


@pytest.mark.parametrize("fails", [True, False])
def test_who_leaves_without_a_commit_lets_others_in(impatient: Units, fails: bool) -> None:
    user, item = stored_user(impatient), stored_item(impatient)
    try:
        with impatient() as first:
            delete_user(first, user, item)
            delete_item(first, user, item)
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with impatient() as second:
        give_item_to_user(second, user, item)
        second.commit()
    shown = impatient().views.read(ITEMS, item)
    assert shown is not None
    assert shown["owner_id"] == user


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_thread_that_writes_without_a_pause_does_not_starve_others(databases: Databases, kind: str) -> None:
    """Sign-ups write in other threads than the one that commits groups; without a fair queue they would time out."""
    with units_with(databases, kind, pool_wait=2) as units:
        write_beside_a_busy_thread(units)


def write_beside_a_busy_thread(units: Units) -> None:
    """Write now and then in two threads, while a third one writes without a pause.

    :raises StorageUnavailable: one of them timed out.
    """
    stop = Event()

    def write_until_stopped() -> None:
        while not stop.is_set():
            stored_item(units)

    def write_sometimes() -> None:
        for _ in range(20):
            sleep(0.005)
            stored_item(units)

    with ThreadPoolExecutor(3) as threads:
        busy = threads.submit(write_until_stopped)
        others = [threads.submit(write_sometimes) for _ in range(2)]
        try:
            for other in others:
                other.result()
        finally:
            stop.set()
        busy.result()
