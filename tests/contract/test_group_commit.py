"""Units of work that are kept together, on every adapter."""

import sqlite3

import pytest
from sqlalchemy import event

from domain.errors import EmailTaken, StaleVersion
from domain.items import Item
from domain.users import User
from entrypoints.container import Container, SqlContainer
from service_layer.errors import StorageUnavailable
from service_layer.read_models import ITEMS, PageParams
from service_layer.users import delete_user, read_user, update_user
from tests.contract.stored import stored_item, stored_user


def titles(container: Container) -> list[str]:
    return [item["title"] for item in container.unit_of_work().views.list(ITEMS, PageParams()).rows]


def test_what_units_of_work_commit_together_is_there_afterwards(container: Container) -> None:
    units = container.unit_of_work
    with container.store().group_commit():
        user_id = stored_user(units)
        stored_item(units, title="one", owner_id=user_id)
        stored_item(units, title="two")
    assert titles(container) == ["one", "two"]


def test_each_finds_what_those_before_it_have_committed(container: Container) -> None:
    units = container.unit_of_work
    with container.store().group_commit():
        item_id = stored_item(units, title="before")
        with units() as uow:
            uow.items.get(item_id).title = "after"
            uow.commit()
    assert titles(container) == ["after"]


def test_each_change_is_held_against_what_those_before_it_have_made(container: Container) -> None:
    """Two clients saw the same user: the second one's change is refused, although nothing is kept yet."""
    units, hasher = container.unit_of_work, container.hasher()
    user_id = stored_user(units)
    before = read_user(units(), user_id)
    with container.store().group_commit():
        update_user(units(), hasher, user_id, {"is_active": False}, precondition=before.__eq__)
        with pytest.raises(StaleVersion):
            update_user(units(), hasher, user_id, {"is_active": True}, precondition=before.__eq__)
        stored_item(units, owner_id=user_id)
        with pytest.raises(StaleVersion):
            delete_user(units(), user_id, precondition=before.__eq__)
        assert len(update_user(units(), hasher, user_id, {"is_active": True})["items"]) == 1
    assert read_user(units(), user_id)["is_active"]


def test_one_that_is_refused_or_not_committed_leaves_the_others_as_they_are(container: Container) -> None:
    units = container.unit_of_work
    with container.store().group_commit():
        stored_user(units)
        with pytest.raises(EmailTaken), units() as uow:
            uow.items.add(Item(title="refused"))
            uow.users.add(User(email="a@example.com", hashed_password="x"))
        with units() as uow:
            uow.items.add(Item(title="not committed"))
        stored_item(units, title="kept")
    assert titles(container) == ["kept"]


def test_after_a_block_each_is_kept_by_itself_again(container: Container) -> None:
    units = container.unit_of_work
    with container.store().group_commit():
        pass
    with units() as uow:
        uow.items.add(Item(title="kept"))
        uow.commit()
        assert titles(container) == ["kept"]


@pytest.mark.parametrize("container", ["sqlite"], indirect=True)
def test_an_error_that_leaves_a_block_of_sqlite_undoes_all_of_it(container: Container) -> None:
    units = container.unit_of_work
    with pytest.raises(ZeroDivisionError), container.store().group_commit():
        stored_item(units)
        raise ZeroDivisionError
    stored_item(units, title="next")
    assert titles(container) == ["next"]


@pytest.mark.parametrize("container", ["sqlite"], indirect=True)
def test_a_transaction_that_sqlite_itself_has_undone_is_not_taken_for_kept(container: SqlContainer) -> None:
    """It undoes one when the disk is full, in the middle of whatever it was told."""
    units, writer = container.unit_of_work, container.engines().writer
    drivers: list[sqlite3.Connection] = []
    event.listen(writer, "checkout", lambda driver, *_: drivers.append(driver))
    with pytest.raises(StorageUnavailable), container.store().group_commit():
        stored_item(units, title="undone")
        drivers[-1].execute("ROLLBACK")
        with pytest.raises(StorageUnavailable):
            stored_item(units, title="too late")
    with pytest.raises(StorageUnavailable), units() as uow:
        uow.items.add(Item(title="undone"))
        drivers[-1].execute("ROLLBACK")
        uow.commit()
    stored_item(units, title="next")
    assert titles(container) == ["next"]
