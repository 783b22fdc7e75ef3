"""What can be done with users and items, on the store in memory."""

from decimal import Decimal

import pytest

from adapters.in_memory import InMemoryStore, InMemoryUnitOfWork
from domain.errors import EmailTaken, InvalidValue, ItemNotFound, UserNotFound
from service_layer.items import create_item, list_items, list_user_items, read_item
from service_layer.read_models import ID_MAX, PageRequest
from service_layer.users import create_user, list_users, read_user

EVERYTHING = PageRequest()


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
    first = list_users(uow, PageRequest(limit=2))
    rest = list_users(uow, PageRequest(limit=2, after=ids[1]))
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
    assert list_user_items(uow, rick, PageRequest(skip=1)).rows == own[1:]


def test_what_does_not_exist_is_not_found(uow: InMemoryUnitOfWork) -> None:
    with pytest.raises(UserNotFound):
        read_user(uow, 1)
    with pytest.raises(UserNotFound):
        list_user_items(uow, 1, EVERYTHING)
    with pytest.raises(ItemNotFound):
        read_item(uow, 1)
