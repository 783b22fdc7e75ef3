"""What a unit of work promises, on every adapter."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier, Thread

import pytest

from domain.errors import EmailTaken, InvalidValue, ItemNotFound, StaleVersion, UserNotFound
from domain.items import Item
from domain.users import User
from service_layer.ports import IdempotencyRecord
from service_layer.read_models import ITEMS, USERS, PageParams
from tests.contract.stored import Units, stored_item, stored_user


def test_what_is_committed_is_there_for_the_next_unit_of_work(unit_of_work: Units) -> None:
    user_id = stored_user(unit_of_work)
    item_id = stored_item(unit_of_work, description="Big", price=Decimal("1.50"), owner_id=user_id)
    with unit_of_work() as uow:
        user, item = uow.users.get(user_id), uow.items.get(item_id)
        assert (user.email, user.email_key, user.is_active, user.id) == (
            "a@example.com",
            "a@example.com",
            True,
            user_id,
        )
        assert (item.title, item.description, item.price, item.owner_id) == ("Towel", "Big", Decimal("1.50"), user_id)


def test_leaving_without_a_commit_discards_everything(unit_of_work: Units) -> None:
    with unit_of_work() as uow:
        uow.users.add(User(email="a@example.com", hashed_password="x"))
        uow.items.add(Item(title="Towel"))
    assert not unit_of_work().views.list(USERS, PageParams()).rows
    assert not unit_of_work().views.list(ITEMS, PageParams()).rows


def test_an_error_discards_everything(unit_of_work: Units) -> None:
    with pytest.raises(ZeroDivisionError), unit_of_work() as uow:
        uow.items.add(Item(title="Towel"))
        raise ZeroDivisionError
    assert not unit_of_work().views.list(ITEMS, PageParams()).rows


def test_a_unit_of_work_can_be_used_again(unit_of_work: Units) -> None:
    uow = unit_of_work()
    for title in ("one", "two"):
        with uow:
            uow.items.add(Item(title=title))
            uow.commit()
    assert [item["title"] for item in uow.views.list(ITEMS, PageParams()).rows] == ["one", "two"]


def test_nobody_sees_what_is_not_committed_not_even_ones_own_views(unit_of_work: Units) -> None:
    with unit_of_work() as uow:
        uow.items.add(Item(title="Towel"))
        assert not uow.views.list(ITEMS, PageParams()).rows
        assert not unit_of_work().views.list(ITEMS, PageParams()).rows
        uow.commit()
        assert len(uow.views.list(ITEMS, PageParams()).rows) == 1


def test_a_change_after_a_commit_is_not_seen_before_the_next(unit_of_work: Units) -> None:
    with unit_of_work() as uow:
        item = Item(title="Towel")
        uow.items.add(item)
        item.title = "Cloth"
        uow.commit()
        item.title = "Sieve"
        assert [item["title"] for item in uow.views.list(ITEMS, PageParams()).rows] == ["Cloth"]
    assert [item["title"] for item in unit_of_work().views.list(ITEMS, PageParams()).rows] == ["Cloth"]


def test_changes_are_written_by_commit_and_counted(unit_of_work: Units) -> None:
    item_id = stored_item(unit_of_work)
    with unit_of_work() as uow:
        uow.items.get(item_id).title = "Sieve"
        uow.commit()
    with unit_of_work() as uow:
        item = uow.items.get(item_id)
        assert (item.title, item.version) == ("Sieve", 2)


def test_setting_what_was_there_is_no_change(unit_of_work: Units) -> None:
    item_id = stored_item(unit_of_work)
    with unit_of_work() as uow:
        uow.items.get(item_id).title = "Towel"
        uow.commit()
        assert uow.items.get(item_id).version == 1


def test_get_returns_the_same_object_each_time(unit_of_work: Units) -> None:
    item_id = stored_item(unit_of_work)
    with unit_of_work() as uow:
        assert uow.items.get(item_id) is uow.items.get(item_id)


def test_what_does_not_exist_is_not_found(unit_of_work: Units) -> None:
    with unit_of_work() as uow:
        with pytest.raises(UserNotFound):
            uow.users.get(1_000_000)
        with pytest.raises(ItemNotFound):
            uow.items.get(1_000_000)


@pytest.mark.parametrize("other", ["a@example.com", "A@Example.COM", "a@EXAMPLE.com"])
def test_an_address_is_taken_in_any_case(unit_of_work: Units, other: str) -> None:
    stored_user(unit_of_work)
    with pytest.raises(EmailTaken), unit_of_work() as uow:
        uow.users.add(User(email=other, hashed_password="y"))
    assert len(unit_of_work().views.list(USERS, PageParams()).rows) == 1


def test_an_address_is_taken_within_one_unit_of_work(unit_of_work: Units) -> None:
    with pytest.raises(EmailTaken), unit_of_work() as uow:
        uow.users.add(User(email="a@example.com", hashed_password="x"))
        uow.users.add(User(email="A@example.com", hashed_password="x"))


def test_an_address_is_taken_also_by_who_changed_theirs_before_they_were_added(unit_of_work: Units) -> None:
    stored_user(unit_of_work, "a@example.com")
    user = User(email="b@example.com", hashed_password="x")
    user.email = "A@example.com"
    with pytest.raises(EmailTaken), unit_of_work() as uow:
        uow.users.add(user)


def test_of_simultaneous_sign_ups_with_one_address_one_succeeds(unit_of_work: Units) -> None:
    barrier, outcomes = Barrier(8), []

    def sign_up() -> None:
        barrier.wait()
        try:
            stored_user(unit_of_work)
            outcomes.append("stored")
        except EmailTaken:
            outcomes.append("taken")

    threads = [Thread(target=sign_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["stored"] + ["taken"] * 7


def test_an_item_needs_an_owner_that_exists(unit_of_work: Units) -> None:
    with pytest.raises(UserNotFound), unit_of_work() as uow:
        uow.items.add(Item(title="Towel", owner_id=1_000_000))
    assert not unit_of_work().views.list(ITEMS, PageParams()).rows


def test_an_owner_can_come_with_the_item(unit_of_work: Units) -> None:
    user = User(email="a@example.com", hashed_password="x")
    with unit_of_work() as uow:
        uow.users.add(user)
        uow.items.add(Item(title="Towel", owner_id=user.id))
        uow.commit()
    assert user.id is not None
    found = unit_of_work().views.read(USERS, user.id)
    assert found is not None
    assert [item["title"] for item in found["items"]] == ["Towel"]


def test_an_item_cannot_be_given_to_nobody_there_is(unit_of_work: Units) -> None:
    item_id = stored_item(unit_of_work)
    with pytest.raises(UserNotFound), unit_of_work() as uow:
        uow.items.get(item_id).owner_id = 1_000_000
        uow.commit()


def test_removing_an_item_leaves_its_owner(unit_of_work: Units) -> None:
    user_id = stored_user(unit_of_work)
    item_id = stored_item(unit_of_work, owner_id=user_id)
    with unit_of_work() as uow:
        uow.items.remove(uow.items.get(item_id))
        uow.commit()
    assert unit_of_work().views.read(ITEMS, item_id) is None
    assert unit_of_work().views.read(USERS, user_id) is not None


def test_removing_a_user_removes_their_items_and_no_others(unit_of_work: Units) -> None:
    user_id, other_id = stored_user(unit_of_work), stored_user(unit_of_work, "b@example.com")
    gone, kept = stored_item(unit_of_work, owner_id=user_id), stored_item(unit_of_work, owner_id=other_id)
    with unit_of_work() as uow:
        uow.users.remove(uow.users.get(user_id))
        uow.commit()
    views = unit_of_work().views
    assert (views.read(USERS, user_id), views.read(ITEMS, gone)) == (None, None)
    assert views.read(ITEMS, kept) is not None


def test_ids_ascend_and_never_come_back(unit_of_work: Units) -> None:
    first, second = stored_item(unit_of_work), stored_item(unit_of_work)
    with unit_of_work() as uow:
        uow.items.remove(uow.items.get(second))
        uow.commit()
    third = stored_item(unit_of_work)
    assert first < second < third
    one = stored_user(unit_of_work)
    with unit_of_work() as uow:
        uow.users.remove(uow.users.get(one))
        uow.commit()
    assert stored_user(unit_of_work) > one


def test_a_refused_sign_up_costs_no_id(unit_of_work: Units) -> None:
    first = stored_user(unit_of_work)
    with pytest.raises(EmailTaken):
        stored_user(unit_of_work)
    with pytest.raises(UserNotFound):
        stored_item(unit_of_work, owner_id=1_000_000)
    assert stored_user(unit_of_work, "b@example.com") == first + 1


def test_who_writes_over_a_newer_version_is_told(unit_of_work: Units) -> None:
    item_id = stored_item(unit_of_work)
    with unit_of_work() as slow:
        item = slow.items.get(item_id)
        slow.commit()  # the transaction ends, the entity stays
        with unit_of_work() as quick:
            quick.items.get(item_id).title = "Sieve"
            quick.commit()
        item.title = "Spoon"
        with pytest.raises(StaleVersion):
            slow.commit()
    found = unit_of_work().views.read(ITEMS, item_id)
    assert found is not None
    assert found["title"] == "Sieve"


def test_who_changes_nothing_does_not_care_what_others_did(unit_of_work: Units) -> None:
    user_id = stored_user(unit_of_work)
    item_id = stored_item(unit_of_work, owner_id=user_id)
    with unit_of_work() as slow:
        item = slow.items.get(item_id)
        slow.commit()
        with unit_of_work() as quick:
            quick.items.get(item_id).title = "Sieve"
            quick.commit()
        with unit_of_work() as quick:
            quick.users.remove(quick.users.get(user_id))
            quick.commit()
        slow.commit()
        assert slow.items.get(item_id) is item
        assert item.title == "Towel"


def test_a_removed_users_items_are_not_found_even_if_they_were_before(unit_of_work: Units) -> None:
    user_id = stored_user(unit_of_work)
    item_id = stored_item(unit_of_work, owner_id=user_id)
    with unit_of_work() as uow:
        uow.items.get(item_id)
        uow.users.remove(uow.users.get(user_id))
        with pytest.raises(ItemNotFound):
            uow.items.get(item_id)
        with pytest.raises(UserNotFound):
            uow.users.get(user_id)
        uow.commit()


def test_an_item_that_another_user_got_meanwhile_outlives_its_former_owner(unit_of_work: Units) -> None:
    former, owner = stored_user(unit_of_work), stored_user(unit_of_work, "b@example.com")
    item_id = stored_item(unit_of_work, owner_id=former)
    with unit_of_work() as slow:
        item = slow.items.get(item_id)
        slow.commit()
        with unit_of_work() as quick:
            quick.items.get(item_id).owner_id = owner
            quick.commit()
        slow.users.remove(slow.users.get(former))
        slow.commit()
        item.title = "Spoon"
        with pytest.raises(StaleVersion):
            slow.commit()


def test_an_item_that_a_removed_user_got_meanwhile_is_gone_with_them(unit_of_work: Units) -> None:
    user_id, item_id = stored_user(unit_of_work), stored_item(unit_of_work)
    with unit_of_work() as slow:
        slow.items.get(item_id)
        slow.commit()
        with unit_of_work() as quick:
            quick.items.get(item_id).owner_id = user_id
            quick.commit()
        slow.users.remove(slow.users.get(user_id))
        with pytest.raises(ItemNotFound):
            slow.items.get(item_id)


def test_changes_are_written_before_anything_is_added_or_removed(unit_of_work: Units) -> None:
    user_id = stored_user(unit_of_work)
    item_id = stored_item(unit_of_work, owner_id=user_id)
    with unit_of_work() as uow:
        uow.items.get(item_id).owner_id = None
        user = uow.users.get(user_id)
        user.email = "b@example.com"
        uow.users.add(User(email="a@example.com", hashed_password="x"))
        uow.users.remove(user)
        uow.commit()
    found = unit_of_work().views.read(ITEMS, item_id)
    assert found is not None
    assert found["owner_id"] is None


@pytest.mark.parametrize("what", ["user", "item", "receipt"])
def test_what_a_change_asks_for_that_may_not_be_is_told_before_anything_is_added(
    unit_of_work: Units, what: str
) -> None:
    one, _ = stored_user(unit_of_work), stored_user(unit_of_work, "b@example.com")
    with unit_of_work() as uow:
        uow.users.get(one).email = "b@example.com"
        with pytest.raises(EmailTaken):
            if what == "user":
                uow.users.add(User(email="c@example.com", hashed_password="x"))
            elif what == "item":
                uow.items.add(Item(title="Towel"))
            else:
                uow.idempotency_records.add(IdempotencyRecord("key", "fingerprint", "null", 2), now=1)


def test_a_changed_address_must_be_free_and_is_taken_from_then_on(unit_of_work: Units) -> None:
    one, _ = stored_user(unit_of_work), stored_user(unit_of_work, "b@example.com")
    with pytest.raises(EmailTaken), unit_of_work() as uow:
        uow.users.get(one).email = "B@example.com"
        uow.commit()
    with unit_of_work() as uow:
        uow.users.get(one).email = "C@example.com"
        uow.commit()
    with pytest.raises(EmailTaken):
        stored_user(unit_of_work, "c@example.com")
    stored_user(unit_of_work)  # the old address is free again


@pytest.mark.parametrize(
    ("field", "value"), [("title", ""), ("title", "x" * 256), ("price", Decimal("1.239")), ("description", "\x00")]
)
def test_a_change_that_breaks_an_invariant_is_refused(unit_of_work: Units, field: str, value: object) -> None:
    item_id = stored_item(unit_of_work)
    with pytest.raises(InvalidValue), unit_of_work() as uow:
        setattr(uow.items.get(item_id), field, value)
        uow.commit()
    with unit_of_work() as uow:
        assert uow.items.get(item_id).version == 1


def test_what_was_changed_before_it_was_added_is_looked_at_again(unit_of_work: Units) -> None:
    item, user = Item(title="Towel"), User(email="a@example.com", hashed_password="x")
    item.title = ""
    with pytest.raises(InvalidValue), unit_of_work() as uow:
        uow.items.add(item)
    item.title = "SIEVE"
    user.email = "B@example.com"
    with unit_of_work() as uow:
        uow.items.add(item)
        uow.users.add(user)
        uow.commit()
    assert unit_of_work().views.count(ITEMS, {"q": "sieve"}) == 1
    with pytest.raises(EmailTaken):
        stored_user(unit_of_work, "b@example.com")


@pytest.mark.parametrize("change", [True, False])
def test_who_writes_over_what_was_removed_is_told(unit_of_work: Units, change: bool) -> None:
    item_id = stored_item(unit_of_work)
    with unit_of_work() as slow:
        item = slow.items.get(item_id)
        slow.commit()
        with unit_of_work() as quick:
            quick.items.remove(quick.items.get(item_id))
            quick.commit()
        with pytest.raises(StaleVersion):
            if change:
                item.title = "Spoon"
            else:
                slow.items.remove(item)
            slow.commit()


def test_who_gets_an_item_to_change_it_loses_no_update_and_meets_no_conflict(unit_of_work: Units) -> None:
    item_id = stored_item(unit_of_work, title="0")
    barrier = Barrier(4)

    def increment() -> None:
        barrier.wait()
        for _ in range(10):
            with unit_of_work() as uow:
                item = uow.items.get(item_id)
                item.title = str(int(item.title) + 1)
                uow.commit()

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(increment) for _ in range(4)]:
            done.result()
    found = unit_of_work().views.read(ITEMS, item_id)
    assert found is not None
    assert found["title"] == "40"


def test_a_users_items_are_as_the_unit_of_work_has_them(unit_of_work: Units) -> None:
    user_id, other = stored_user(unit_of_work), stored_user(unit_of_work, "b@example.com")
    first, second, given = (stored_item(unit_of_work, title=title, owner_id=user_id) for title in ("1", "2", "3"))
    stored_item(unit_of_work, owner_id=other)
    with unit_of_work() as uow:
        uow.items.get(first).title = "changed"
        uow.items.get(given).owner_id = other
        uow.items.add(Item(title="new", owner_id=user_id))
        assert [item.title for item in uow.items.find("owner_id", user_id, 100)] == ["changed", "2", "new"]
        assert [item.id for item in uow.items.find("owner_id", user_id, 2)] == [first, second]
        assert not uow.items.find("owner_id", given + 1000, 100)


def test_a_users_items_can_be_changed_and_are_the_same_objects(unit_of_work: Units) -> None:
    user_id = stored_user(unit_of_work)
    item_id = stored_item(unit_of_work, owner_id=user_id)
    with unit_of_work() as uow:
        [item] = uow.items.find("owner_id", user_id, 100)
        assert uow.items.get(item_id) is item
        item.title = "changed"
        uow.commit()
    view = unit_of_work().views.read(ITEMS, item_id)
    assert view
    assert view["title"] == "changed"
