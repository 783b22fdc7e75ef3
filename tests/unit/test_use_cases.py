"""What can be done with users and items, on the store in memory."""

from decimal import Decimal

import pytest

from adapters.memory.store import InMemoryStore, InMemoryUnitOfWork
from domain.errors import EmailTaken, InvalidValue, ItemNotFound, StaleVersion, UserNotFound
from service_layer.errors import BatchRejected, Deadlock
from service_layer.items import (
    ItemChanges,
    NewItem,
    create_item,
    create_items,
    delete_item,
    list_items,
    list_user_items,
    read_item,
    update_item,
)
from service_layer.read_models import ID_MAX, ITEMS, USERS, PageParams
from service_layer.users import (
    UserChanges,
    create_user,
    delete_user,
    list_users,
    read_user,
    update_user,
)

EVERYTHING = PageParams()


class BackwardsHasher:
    """Anything but safe, and easy to check."""

    def hash(self, password: str) -> str:
        return password[::-1]

    def fingerprint(self, password: str, salt: str) -> str:
        return f"{password[::-1]} {salt}"


HASHER = BackwardsHasher()


@pytest.fixture
def uow() -> InMemoryUnitOfWork:
    return InMemoryUnitOfWork(InMemoryStore())


@pytest.fixture
def rick(uow: InMemoryUnitOfWork) -> int:
    return create_user(uow, HASHER, email="rick@example.com", password="wubbalubba")["id"]


def test_a_use_case_that_meets_a_deadlock_runs_again(uow: InMemoryUnitOfWork, monkeypatch: pytest.MonkeyPatch) -> None:
    item = create_item(uow, title="Towel")["id"]
    commit, deadlocks = InMemoryUnitOfWork.commit, [Deadlock()]

    def commit_later(uow: InMemoryUnitOfWork) -> None:
        if deadlocks:
            raise deadlocks.pop()
        commit(uow)

    monkeypatch.setattr(InMemoryUnitOfWork, "commit", commit_later)
    create_item(uow, title="Lamp")
    deadlocks.append(Deadlock())
    update_item(uow, item, {"price": Decimal(2)})
    deadlocks.append(Deadlock())
    delete_item(uow, item)
    assert [item["title"] for item in list_items(uow, EVERYTHING).rows] == ["Lamp"]


def test_who_signs_up_is_shown_as_stored(uow: InMemoryUnitOfWork, rick: int) -> None:
    shown = {"email": "rick@example.com", "id": rick, "is_active": True, "items": []}
    assert read_user(uow, rick) == shown


def test_the_hash_of_the_password_is_stored(uow: InMemoryUnitOfWork, rick: int) -> None:
    with uow:
        assert uow.users.get(rick).hashed_password == "abbulabbuw"


def test_nobody_signs_up_twice(uow: InMemoryUnitOfWork, rick: int) -> None:
    with pytest.raises(EmailTaken):
        create_user(uow, HASHER, email="Rick@example.com", password="wubbalubba")
    assert [user["id"] for user in list_users(uow, EVERYTHING).rows] == [rick]


@pytest.mark.parametrize(
    ("email", "password", "least", "field"),
    [
        ("rick", "wubbalubba", 8, "email"),
        ("rick@example.com", "wubba", 8, "password"),
        ("rick@example.com", "wubbalubba", 12, "password"),
        ("rick@example.com", "x" * 129, 8, "password"),
    ],
)
def test_a_sign_up_that_is_refused_leaves_nothing_behind(
    uow: InMemoryUnitOfWork, email: str, password: str, least: int, field: str
) -> None:
    with pytest.raises(InvalidValue) as refused:
        create_user(uow, HASHER, email=email, password=password, password_min_length=least)
    assert refused.value.field == field
    assert not list_users(uow, EVERYTHING).rows


def test_everybody_is_listed_in_id_order_and_in_pages(uow: InMemoryUnitOfWork) -> None:
    ids = [create_user(uow, HASHER, email=f"{n}@example.com", password="wubbalubba")["id"] for n in range(3)]
    first = list_users(uow, PageParams(limit=2))
    rest = list_users(uow, PageParams(limit=2, after=ids[1]))
    assert [[user["id"] for user in page.rows] for page in (first, rest)] == [ids[:2], ids[2:]]
    assert (first.more, rest.more) == (True, False)


def test_an_item_is_kept_for_its_owner(uow: InMemoryUnitOfWork, rick: int) -> None:
    item = create_item(uow, title="Portal gun", description="Used", price=Decimal("42.5"), owner_id=rick)
    assert item == {"title": "Portal gun", "description": "Used", "price": 42.5, "id": item["id"], "owner_id": rick}
    assert read_item(uow, item["id"]) == item
    assert read_user(uow, rick)["items"] == [item]


def test_an_item_can_be_nobodys(uow: InMemoryUnitOfWork, rick: int) -> None:
    item = create_item(uow, title="Towel")
    assert item["owner_id"] is None
    assert read_item(uow, item["id"]) == item
    assert not list_user_items(uow, rick, EVERYTHING).rows


@pytest.mark.parametrize(
    ("price", "owner_id", "error"),
    [(Decimal("0.001"), None, InvalidValue), (Decimal(1), 1, UserNotFound), (None, ID_MAX, UserNotFound)],
)
def test_an_item_that_is_refused_is_not_kept(
    uow: InMemoryUnitOfWork, price: Decimal | None, owner_id: int | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        create_item(uow, title="Towel", price=price, owner_id=owner_id)
    assert not list_items(uow, EVERYTHING).rows


def test_only_their_own_items_are_listed_for_a_user(uow: InMemoryUnitOfWork, rick: int) -> None:
    own = [create_item(uow, title=title, owner_id=rick) for title in ("Portal gun", "Flask")]
    other = create_item(uow, title="Towel")
    assert list_user_items(uow, rick, EVERYTHING).rows == own
    assert list_items(uow, EVERYTHING).rows == [*own, other]
    assert list_user_items(uow, rick, PageParams(skip=1)).rows == own[1:]


def test_what_does_not_exist_is_not_found(uow: InMemoryUnitOfWork) -> None:
    with pytest.raises(UserNotFound):
        read_user(uow, 1)
    with pytest.raises(UserNotFound):
        list_user_items(uow, 1, EVERYTHING)
    with pytest.raises(ItemNotFound):
        read_item(uow, 1)
    with pytest.raises(UserNotFound):
        update_user(uow, HASHER, 1, {"is_active": False})
    with pytest.raises(UserNotFound):
        delete_user(uow, 1)
    with pytest.raises(ItemNotFound):
        update_item(uow, 1, {"title": "Sieve"})
    with pytest.raises(ItemNotFound):
        delete_item(uow, 1)


def test_those_who_are_wanted_are_listed_and_counted(uow: InMemoryUnitOfWork, rick: int) -> None:
    morty = create_user(uow, HASHER, email="morty@example.com", password="ohgeezohman")["id"]
    update_user(uow, HASHER, morty, {"is_active": False})
    active, gone = {"is_active": True}, {"email": "MORTY@example.com", "is_active": True}
    assert [user["id"] for user in list_users(uow, EVERYTHING, active).rows] == [rick]
    assert not list_users(uow, EVERYTHING, gone).rows
    assert (uow.views.count(USERS), uow.views.count(USERS, active), uow.views.count(USERS, gone)) == (2, 1, 0)


def test_items_that_are_wanted_are_listed_in_the_wanted_order_and_counted(uow: InMemoryUnitOfWork, rick: int) -> None:
    for title in ("Portal gun", "Flask", "Portal fluid"):
        create_item(uow, title=title, owner_id=rick)
    conditions = {"q": "portal"}
    assert [item["title"] for item in list_items(uow, PageParams(sort="title"), conditions).rows] == [
        "Portal fluid",
        "Portal gun",
    ]
    assert (uow.views.count(ITEMS), uow.views.count(ITEMS, conditions)) == (3, 2)


def test_what_is_changed_of_a_user_changes_and_the_rest_stays(uow: InMemoryUnitOfWork, rick: int) -> None:
    item = create_item(uow, title="Portal gun", owner_id=rick)
    shown = update_user(uow, HASHER, rick, {"email": "pickle@example.com"})
    assert shown == {"email": "pickle@example.com", "id": rick, "is_active": True, "items": [item]}
    assert update_user(uow, HASHER, rick, {"is_active": False}) == {**shown, "is_active": False}
    assert update_user(uow, HASHER, rick, {}) == {**shown, "is_active": False}
    assert read_user(uow, rick) == {**shown, "is_active": False}
    with uow:
        assert uow.users.get(rick).hashed_password == "abbulabbuw"


def test_the_hash_of_a_changed_password_is_stored(uow: InMemoryUnitOfWork, rick: int) -> None:
    update_user(uow, HASHER, rick, {"password": "tinyrick"})
    with uow:
        assert uow.users.get(rick).hashed_password == "kcirynit"


class NoHasher:
    """For what must not be hashed."""

    def hash(self, password: str) -> str:
        raise AssertionError

    fingerprint = BackwardsHasher.fingerprint


def test_no_password_is_hashed_for_a_user_who_is_not_there_or_not_as_expected(
    uow: InMemoryUnitOfWork, rick: int
) -> None:
    with pytest.raises(UserNotFound):
        update_user(uow, NoHasher(), rick + 1, {"password": "tinyrick"})
    with pytest.raises(StaleVersion):
        update_user(uow, NoHasher(), rick, {"password": "tinyrick"}, precondition=lambda _: False)


@pytest.mark.parametrize(
    ("changes", "least", "error"),
    [
        ({"email": "Morty@example.com", "is_active": False}, 8, EmailTaken),
        ({"email": "rick", "is_active": False}, 8, InvalidValue),
        ({"email": "pickle@example.com", "password": "pickle"}, 8, InvalidValue),
        ({"email": "pickle@example.com", "password": "picklerick"}, 12, InvalidValue),
    ],
)
def test_a_change_of_a_user_that_is_refused_changes_nothing(
    uow: InMemoryUnitOfWork, rick: int, changes: UserChanges, least: int, error: type[Exception]
) -> None:
    create_user(uow, HASHER, email="morty@example.com", password="ohgeezohman")
    before = read_user(uow, rick)
    with pytest.raises(error):
        update_user(uow, HASHER, rick, changes, password_min_length=least)
    assert read_user(uow, rick) == before
    with uow:
        assert uow.users.get(rick).hashed_password == "abbulabbuw"


@pytest.mark.parametrize(
    "changes", [{"email": "rick"}, {"email": "a\x00@b"}, {"password": ""}, {"password": "x" * 129}]
)
def test_values_that_no_user_may_have_are_refused_before_the_user_is_looked_up(
    uow: InMemoryUnitOfWork, rick: int, changes: UserChanges
) -> None:
    for user_id in (rick, rick + 1):
        with pytest.raises(InvalidValue):
            update_user(uow, HASHER, user_id, changes, precondition=lambda _: False)


@pytest.mark.parametrize(
    "changes", [{"title": " "}, {"title": "a\x00b"}, {"description": "\x00"}, {"price": Decimal(-1)}]
)
def test_values_that_no_item_may_have_are_refused_before_the_item_is_looked_up(
    uow: InMemoryUnitOfWork, changes: ItemChanges
) -> None:
    towel = create_item(uow, title="Towel")["id"]
    for item_id in (towel, towel + 1):
        with pytest.raises(InvalidValue):
            update_item(uow, item_id, changes, precondition=lambda _: False)
    assert read_item(uow, towel)["title"] == "Towel"


def test_a_removed_user_is_gone_with_their_items(uow: InMemoryUnitOfWork, rick: int) -> None:
    create_item(uow, title="Portal gun", owner_id=rick)
    towel = create_item(uow, title="Towel")
    delete_user(uow, rick)
    assert not list_users(uow, EVERYTHING).rows
    assert list_items(uow, EVERYTHING).rows == [towel]


def test_who_is_still_as_they_were_seen_can_be_changed_and_removed(uow: InMemoryUnitOfWork, rick: int) -> None:
    seen = read_user(uow, rick)
    changed = update_user(uow, HASHER, rick, {"is_active": False}, precondition=seen.__eq__)
    with pytest.raises(StaleVersion):
        update_user(uow, HASHER, rick, {"email": "pickle@example.com"}, precondition=seen.__eq__)
    with pytest.raises(StaleVersion):
        delete_user(uow, rick, precondition=seen.__eq__)
    assert read_user(uow, rick) == changed
    delete_user(uow, rick, precondition=changed.__eq__)
    assert not list_users(uow, EVERYTHING).rows


def test_a_user_who_got_an_item_is_not_as_they_were_seen(uow: InMemoryUnitOfWork, rick: int) -> None:
    seen = read_user(uow, rick)
    create_item(uow, title="Portal gun", owner_id=rick)
    with pytest.raises(StaleVersion):
        delete_user(uow, rick, precondition=seen.__eq__)
    assert uow.views.count(ITEMS) == 1


def test_what_is_changed_of_an_item_changes_and_the_rest_stays(uow: InMemoryUnitOfWork, rick: int) -> None:
    item = create_item(uow, title="Portal gun", description="Used", price=Decimal(42), owner_id=rick)
    changes: list[ItemChanges] = [{"title": "Flask"}, {"description": None, "price": Decimal("0.5")}, {}]
    shown = [update_item(uow, item["id"], each) for each in changes]
    assert shown[0] == {**item, "title": "Flask"}
    assert shown[1] == shown[2] == {**item, "title": "Flask", "description": None, "price": 0.5}
    assert read_item(uow, item["id"]) == shown[2]


def test_an_item_can_get_another_owner_or_none(uow: InMemoryUnitOfWork, rick: int) -> None:
    item = create_item(uow, title="Towel")
    assert update_item(uow, item["id"], {"owner_id": rick}) == {**item, "owner_id": rick}
    assert [each["id"] for each in read_user(uow, rick)["items"]] == [item["id"]]
    assert update_item(uow, item["id"], {"owner_id": None}) == item
    assert not read_user(uow, rick)["items"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"title": " ", "price": None}, InvalidValue),
        ({"title": "Flask", "price": Decimal("0.001")}, InvalidValue),
        ({"title": "Flask", "owner_id": ID_MAX}, UserNotFound),
    ],
)
def test_a_change_of_an_item_that_is_refused_changes_nothing(
    uow: InMemoryUnitOfWork, changes: ItemChanges, error: type[Exception]
) -> None:
    item = create_item(uow, title="Towel", price=Decimal(1))
    with pytest.raises(error):
        update_item(uow, item["id"], changes)
    assert read_item(uow, item["id"]) == item


def test_a_removed_item_is_gone_and_its_owner_stays(uow: InMemoryUnitOfWork, rick: int) -> None:
    item = create_item(uow, title="Portal gun", owner_id=rick)
    delete_item(uow, item["id"])
    assert not list_items(uow, EVERYTHING).rows
    assert not read_user(uow, rick)["items"]


def test_an_item_that_is_still_as_it_was_seen_can_be_changed_and_removed(uow: InMemoryUnitOfWork) -> None:
    seen = create_item(uow, title="Towel")
    changed = update_item(uow, seen["id"], {"title": "Sieve"}, precondition=seen.__eq__)
    with pytest.raises(StaleVersion):
        update_item(uow, seen["id"], {"title": "Spoon"}, precondition=seen.__eq__)
    with pytest.raises(StaleVersion):
        delete_item(uow, seen["id"], precondition=seen.__eq__)
    assert read_item(uow, seen["id"]) == changed
    delete_item(uow, seen["id"], precondition=changed.__eq__)
    assert not list_items(uow, EVERYTHING).rows


def test_a_batch_of_items_is_kept_in_its_order(uow: InMemoryUnitOfWork, rick: int) -> None:
    items = create_items(uow, [{"title": "Flask", "owner_id": rick}, {"title": "Towel", "price": Decimal("0.1")}])
    shown = [(item["title"], item["description"], item["price"], item["owner_id"]) for item in items]
    assert shown == [("Flask", None, None, rick), ("Towel", None, 0.1, None)]
    assert list_items(uow, EVERYTHING).rows == items
    assert create_items(uow, []) == []


def test_of_a_batch_with_refused_items_none_is_kept_and_each_refusal_is_told(
    uow: InMemoryUnitOfWork, rick: int
) -> None:
    blank: NewItem = {"title": " "}
    poor: NewItem = {"title": "Towel", "price": Decimal(-1)}
    with pytest.raises(BatchRejected) as invalid:
        create_items(uow, [{"title": "Flask"}, blank, {"title": "Flask", "owner_id": ID_MAX}, poor])
    assert {place: str(error) for place, error in invalid.value.errors.items()} == {
        1: "title must not be blank",
        3: "price must be between 0 and 9999999999.99",
    }
    with pytest.raises(BatchRejected) as ownerless:
        create_items(
            uow, [{"title": "a", "owner_id": 0}, {"title": "b", "owner_id": rick}, {"title": "c", "owner_id": 9}]
        )
    assert {place: type(error) for place, error in ownerless.value.errors.items()} == {0: UserNotFound, 2: UserNotFound}
    assert not list_items(uow, EVERYTHING).rows
