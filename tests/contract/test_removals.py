"""Removed users whose items are still to be deleted are invisible, on every adapter."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest
from sqlalchemy import event, func, select

from adapters.sql.mapping import removals
from adapters.sql.mapping.tables import items, removed_users, users
from adapters.sql.writing import repositories
from domain.errors import StaleVersion, UserNotFound
from domain.items import Item
from entrypoints.container import Container, SqlContainer
from service_layer.aggregates import NO_FILTER, Filter
from service_layer.read_models import ITEMS, USERS, PageParams
from service_layer.scans import ScanRequired, forbid_scans
from service_layer.users import delete_user, read_user
from tests.conftest import Databases
from tests.contract.stored import Units, stored_item, stored_user
from tests.contract.stored import rich_user as user_with_equal_items
from tests.contract.test_model import run
from tests.contract.test_waiting import WITH_USER, Act, after
from tests.contract.test_waiting import delete_user as remove
from tests.databases import SQL

MANY = 250
SORTS = ["id", "-id", "title", "-title", "price", "-price"]


@pytest.fixture
def all_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every removed user is marked first, even one without items."""
    monkeypatch.setattr(repositories, "has_many_rows", lambda *_: True)


@pytest.fixture
def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A removed user with more than five items is marked first, and a purge step is as small as possible."""
    monkeypatch.setattr(removals, "DIRECT_DELETE_MAX", 5)
    monkeypatch.setattr(removals, "_STEP", 0.0)


def rich_user(units: Units, count: int = MANY) -> int:
    """A user with so many items."""
    user_id = stored_user(units)
    with units() as uow:
        for n in range(count):
            price = [None, Decimal(1), Decimal(2)][n % 3]
            uow.items.add(Item(title=f"Towel {n % 3}", price=price, owner_id=user_id))
        uow.commit()
    return user_id


def shown(units: Units) -> list[object]:
    """Everything that lists and counts say."""
    views, page = units().views, PageParams(limit=3)
    filters: list[Filter] = [
        NO_FILTER,
        {"q": "owel"},
        {"title": "Towel 1"},
        {"min_price": Decimal(0)},
    ]
    conditions = [(replace(page, sort=sort), each) for each in filters for sort in SORTS]
    people: list[Filter] = [NO_FILTER, {"is_active": True}, {"email": "a@example.com"}]
    return [
        [(views.list(ITEMS, sorted_page, each), views.count(ITEMS, each)) for sorted_page, each in conditions],
        [(views.list(USERS, page, each), views.count(USERS, each)) for each in people],
    ]


def purged(container: Container) -> int:
    """How many steps it took until there was nothing to purge any more."""
    steps = 0
    while container.store().purge():
        steps += 1
    return steps


def rows(container: SqlContainer) -> list[int]:
    """How many marks, users and items the tables have."""
    with container.engines().reader.connect() as connection:
        return [
            connection.scalar(select(func.count()).select_from(table)) or 0 for table in (removed_users, users, items)
        ]


@pytest.mark.usefixtures("in_small_steps")
def test_a_removed_user_is_gone_at_once_with_all_items_and_stays_so_while_they_are_purged(container: Container) -> None:
    units = container.unit_of_work
    rich = rich_user(units, 30)
    poor = stored_user(units, "b@example.com")
    stored_item(units, title="Towel 1", owner_id=poor)
    stored_item(units)
    views = units().views
    *theirs, first, second = views.list(ITEMS, PageParams()).rows
    delete_user(units(), rich)
    assert views.list(ITEMS, PageParams()).rows == [first, second]
    assert views.list(USERS, PageParams()).rows == [read_user(units(), poor)]
    assert [views.read(ITEMS, item["id"]) for item in theirs] == [None] * 30
    assert (views.read(USERS, rich), views.user_items(rich, PageParams())) == (None, None)
    assert (views.count(USERS), views.count(ITEMS), views.count(ITEMS, {"owner_id": rich})) == (1, 2, 0)
    before = shown(units)
    purged(container)
    assert shown(units) == before


@pytest.mark.usefixtures("all_marked")
def test_the_address_of_a_removed_user_is_free_at_once_and_the_id_does_not_come_back(container: Container) -> None:
    units = container.unit_of_work
    first = rich_user(units, 3)
    delete_user(units(), first)
    second = stored_user(units)
    assert second > first
    purged(container)
    assert read_user(units(), second)["items"] == []
    with pytest.raises(UserNotFound):
        delete_user(units(), first)


@pytest.mark.usefixtures("all_marked")
@pytest.mark.parametrize("act", WITH_USER)
def test_who_waits_for_a_user_who_is_marked_as_removed_is_told_that_they_are_gone(
    unit_of_work: Units, act: Act
) -> None:
    user, item = rich_user(unit_of_work, 1), stored_item(unit_of_work)
    assert after(unit_of_work, remove, act, user, item) is UserNotFound


@pytest.mark.usefixtures("all_marked")
@pytest.mark.parametrize("act", WITH_USER)
def test_nothing_can_be_done_with_a_user_who_is_marked_as_removed(unit_of_work: Units, act: Act) -> None:
    user, item = rich_user(unit_of_work, 1), stored_item(unit_of_work)
    delete_user(unit_of_work(), user)

    def idempotency() -> None:
        with unit_of_work() as uow:
            act(uow, user, item)
            uow.commit()

    with pytest.raises(UserNotFound):
        idempotency()
    assert unit_of_work().views.count(ITEMS) == 1


@pytest.mark.usefixtures("all_marked")
def test_a_removal_that_is_not_committed_or_comes_too_late_marks_nobody(unit_of_work: Units) -> None:
    user_id = rich_user(unit_of_work, 1)
    with unit_of_work() as uow:
        uow.users.remove(uow.users.get(user_id))
        assert (uow.items.find("owner_id", user_id, 10), uow.views.count(ITEMS)) == ([], 1)
    assert len(read_user(unit_of_work(), user_id)["items"]) == 1
    with unit_of_work() as slow:
        user = slow.users.get(user_id)
        slow.commit()
        with unit_of_work() as quick:
            quick.users.get(user_id).is_active = False
            quick.commit()
        with pytest.raises(StaleVersion):
            slow.users.remove(user)
    assert read_user(unit_of_work(), user_id)["is_active"] is False


@pytest.mark.usefixtures("all_marked")
def test_a_precondition_on_a_user_with_many_items_is_heeded(unit_of_work: Units) -> None:
    user_id = rich_user(unit_of_work, 2)
    seen = read_user(unit_of_work(), user_id)
    stored_item(unit_of_work, owner_id=user_id)
    with pytest.raises(StaleVersion):
        delete_user(unit_of_work(), user_id, precondition=seen.__eq__)
    delete_user(unit_of_work(), user_id, precondition=read_user(unit_of_work(), user_id).__eq__)
    assert unit_of_work().views.count(ITEMS) == 0


@pytest.mark.usefixtures("in_small_steps")
@pytest.mark.parametrize("container", SQL, indirect=True)
def test_a_purge_goes_on_where_the_last_one_stopped_and_leaves_no_rows(container: SqlContainer) -> None:
    units = container.unit_of_work
    rich = rich_user(units)
    stored_item(units, owner_id=stored_user(units, "b@example.com"))
    delete_user(units(), rich)
    assert rows(container) == [1, 2, MANY + 1]
    assert container.store().purge()
    assert 1 < rows(container)[2] < MANY + 1
    assert purged(container) > 1
    assert rows(container) == [0, 1, 1]


@pytest.mark.usefixtures("in_small_steps")
@pytest.mark.parametrize("container", ["postgresql", "mariadb"], indirect=True)
def test_of_two_who_purge_at_once_one_has_nothing_to_do(container: SqlContainer) -> None:
    rich = rich_user(container.unit_of_work, 10)
    delete_user(container.unit_of_work(), rich)
    with container.sessions().new() as session:
        assert session.scalar(removals.FIRST_REMOVED.with_for_update()) == rich
        assert not container.store().purge()
    assert container.store().purge()


@pytest.mark.parametrize("container", SQL, indirect=True)
def test_a_user_with_a_thousand_items_is_deleted_at_once_and_one_with_more_is_marked(container: SqlContainer) -> None:
    few, many = stored_user(container.unit_of_work), stored_user(container.unit_of_work, "b@example.com")
    with container.engines().writer.begin() as connection:
        values = {"title": "Towel", "version": 1, "search_text": "towel"}
        owners = [few] * removals.DIRECT_DELETE_MAX + [many] * (removals.DIRECT_DELETE_MAX + 1)
        connection.execute(items.insert(), [{**values, "owner_id": owner} for owner in owners])
    delete_user(container.unit_of_work(), few)
    assert rows(container) == [0, 1, removals.DIRECT_DELETE_MAX + 1]
    delete_user(container.unit_of_work(), many)
    assert rows(container) == [1, 1, removals.DIRECT_DELETE_MAX + 1]
    purged(container)
    assert rows(container) == [0, 0, 0]


@pytest.mark.usefixtures("all_marked")
@pytest.mark.parametrize("kind", SQL)
def test_a_store_that_marks_who_is_removed_does_what_dictionaries_would(databases: Databases, kind: str) -> None:
    run(databases, kind, runs=4, steps=25)


def outcomes_without_scans(container: Container, rich: int, other: int) -> dict[str, object]:
    """What views return in a thread that must not scan."""
    views, page = container.unit_of_work().views, PageParams(limit=3)

    def ids(page: PageParams, **filter: object) -> object:
        try:
            return [item["id"] for item in views.list(ITEMS, page, filter).rows]
        except ScanRequired:
            return "scan"

    reads: dict[str, Callable[[], object]] = {
        "all": lambda: ids(page),
        "title": lambda: ids(page, title="Towel"),
        "prices": lambda: ids(replace(page, sort="price"), max_price=Decimal(9)),
        **{sort: partial(ids, replace(page, sort=sort)) for sort in SORTS},
        "removed owner": lambda: ids(page, owner_id=rich),
        "other owner": lambda: ids(page, owner_id=other),
        "no owner": lambda: ids(page, owner_id=None),
        "items of removed user": lambda: views.user_items(rich, page),
        "removed user": lambda: views.read(USERS, rich),
        "users": lambda: [user["id"] for user in views.list(USERS, page).rows],
    }
    with ThreadPoolExecutor(1, initializer=forbid_scans) as thread:
        return {name: thread.submit(read).result() for name, read in reads.items()}


@pytest.mark.usefixtures("in_small_steps")
@pytest.mark.parametrize("container", SQL, indirect=True)
def test_only_lists_that_pass_over_hidden_items_are_scans_while_a_removed_user_is_purged(
    container: SqlContainer,
) -> None:
    rich = user_with_equal_items(container, 20_000)
    other = stored_user(container.unit_of_work, "b@example.com")
    owned, free = stored_item(container.unit_of_work, owner_id=other), stored_item(container.unit_of_work)
    delete_user(container.unit_of_work(), rich)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    container.engines().reader.dispose()
    if container.engines().reader.dialect.name == "sqlite":
        event.listen(container.engines().reader, "connect", lambda driver, _: driver.set_progress_handler(count, 100))
    always = {
        "removed owner": [],
        "other owner": [owned],
        "no owner": [free],
        "items of removed user": None,
        "removed user": None,
        "users": [other],
    }
    scans = dict.fromkeys(("all", "title", "prices", *SORTS), "scan")
    assert outcomes_without_scans(container, rich, other) == scans | always
    assert steps < 100  # of 100 instructions each; reading the hidden items takes 1,000 for every list
    assert container.unit_of_work().views.list(ITEMS, PageParams()).rows[0]["id"] == owned
    with container.engines().writer.begin() as connection:
        connection.execute(items.delete().where(items.c.owner_id == rich))
    purged(container)
    both = [owned, free]
    lists = {name: both[::-1] if name.startswith("-") else both for name in scans} | {"prices": []}
    assert outcomes_without_scans(container, rich, other) == lists | always
