"""Pages, and how entities are shown."""

from decimal import Decimal

import pytest

from domain.items import Item
from domain.users import User
from service_layer.read_models import (
    ID_MAX,
    ITEMS,
    PAGE_MAX,
    USERS,
    ItemView,
    Page,
    PageParams,
    bounded,
    page_of,
)

ITEM = Item(title="Towel", description="Big", price=Decimal("42.50"), owner_id=1, id=7)


def test_a_page_is_the_first_hundred_rows_unless_asked_otherwise() -> None:
    page = PageParams()
    assert (page.limit, page.skip, page.after) == (100, 0, 0)


@pytest.mark.parametrize(
    ("limit", "skip", "after"), [(1, 0, 0), (PAGE_MAX, 0, 0), (1, ID_MAX, 0), (1, 0, ID_MAX), (1, ID_MAX, ID_MAX)]
)
def test_a_page_reaches_up_to_its_bounds(limit: int, skip: int, after: int) -> None:
    page = PageParams(limit=limit, skip=skip, after=after)
    assert (page.limit, page.skip, page.after, page.after_value) == (limit, skip, after, None)


@pytest.mark.parametrize(
    ("limit", "skip", "after"),
    [(0, 0, 0), (PAGE_MAX + 1, 0, 0), (1, -1, 0), (1, ID_MAX + 1, 0), (1, 0, -1), (1, 0, ID_MAX + 1)],
)
def test_a_page_beyond_its_bounds_is_refused(limit: int, skip: int, after: int) -> None:
    with pytest.raises(ValueError, match="page parameters are out of range"):
        PageParams(limit=limit, skip=skip, after=after)


@pytest.mark.parametrize(
    ("read", "shown", "more"),
    [([], [], False), ([1], [1], False), ([1, 2], [1, 2], False), ([1, 2, 3], [1, 2], True)],
)
def test_a_row_too_many_tells_that_there_are_more(read: list[int], shown: list[int], more: bool) -> None:
    assert Page.cut(read, 2) == Page(shown, more)


def test_an_item_is_shown_in_the_order_of_the_wire() -> None:
    shown = {"title": "Towel", "description": "Big", "price": 42.5, "id": 7, "owner_id": 1}
    assert list(ITEMS.view_of(ITEM).items()) == list(shown.items())


def test_an_item_without_a_price_is_shown_without_one() -> None:
    assert ITEMS.view_of(Item(title="Towel", id=7))["price"] is None


@pytest.mark.parametrize("price", ["0", "0.01", "0.29", "1.15", "1234567890.12", "9999999999.99"])
def test_a_price_is_shown_exactly(price: str) -> None:
    shown = ITEMS.view_of(Item(title="Towel", id=7, price=Decimal(price)))["price"]
    assert Decimal(repr(shown)) == Decimal(price)


def test_a_user_is_shown_without_password_key_or_version() -> None:
    user = User(email="Rick@example.com", hashed_password="secret", id=1)
    assert USERS.view_of(user, items=[]) == {"email": "Rick@example.com", "id": 1, "is_active": True, "items": []}
    assert USERS.view_of(user, items=[ITEMS.view_of(ITEM)])["items"] == [ITEMS.view_of(ITEM)]


def test_what_is_not_stored_cannot_be_shown() -> None:
    with pytest.raises(ValueError, match="the entity has not been stored"):
        ITEMS.view_of(Item(title="Towel"))
    with pytest.raises(ValueError, match="the entity has not been stored"):
        USERS.view_of(User(email="a@b", hashed_password="x"))


def _items(*sizes: int) -> list[ItemView]:
    return [ITEMS.view_of(Item(title="x", description="x" * size, id=n)) for n, size in enumerate(sizes, 1)]


@pytest.mark.parametrize(
    ("characters", "shown", "more"),
    [(10**9, 3, False), (9, 3, False), (8, 2, True), (5, 2, True), (4, 1, True), (1, 1, True)],
)
def test_a_page_ends_before_it_has_too_many_characters(characters: int, shown: int, more: bool) -> None:
    rows = _items(2, 3, 4)
    found = page_of(ITEMS, rows, PageParams(characters=characters))
    assert found == Page(rows[:shown], more)
    users = [USERS.view_of(User(email="a@example.com", hashed_password="x", id=1), items=[row]) for row in rows]
    assert bounded(USERS, Page(users, False), characters) == Page(users[:shown], more)
