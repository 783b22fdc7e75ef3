"""What the views promise, on every adapter."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from domain.items import Item
from domain.users import User
from service_layer.aggregates import NO_FILTER
from service_layer.ports import UnitOfWork
from service_layer.read_models import EMBEDDED_ITEMS, ID_MAX, ITEMS, USERS, PageParams

Units = Callable[[], UnitOfWork]


def fill(units: Units, *, users: int = 0, items: int = 0, each: int = 0) -> tuple[list[int], list[int]]:
    """Users with ``each`` items, and items of nobody; their ids."""
    people = [User(email=f"user{n}@example.com", hashed_password="x") for n in range(users)]
    with units() as uow:
        for user in people:
            uow.users.add(user)
        things = [Item(title=f"{user.id}/{n}", owner_id=user.id) for n in range(each) for user in people]
        things += [Item(title=str(n)) for n in range(items)]
        for item in things:
            uow.items.add(item)
        uow.commit()
    return [user.id or 0 for user in people], [item.id or 0 for item in things]


def test_an_item_is_shown_with_all_of_its_fields(unit_of_work: Units) -> None:
    user = User(email="a@example.com", hashed_password="secret")
    with unit_of_work() as uow:
        uow.users.add(user)
        item = Item(title="Towel", description="Big", price=Decimal("0.10"), owner_id=user.id)
        uow.items.add(item)
        uow.commit()
    assert item.id is not None
    assert user.id is not None
    shown = {"title": "Towel", "description": "Big", "price": 0.1, "id": item.id, "owner_id": user.id}
    views = unit_of_work().views
    assert str(views.read(ITEMS, item.id)) == str(shown)  # the fields in the order of the wire
    assert str(views.read(USERS, user.id)) == str(
        {"email": "a@example.com", "id": user.id, "is_active": True, "items": [shown]}
    )


def test_what_is_not_there_is_none(unit_of_work: Units) -> None:
    views = unit_of_work().views
    for id in (1, ID_MAX):
        assert views.read(USERS, id) is None
        assert views.read(ITEMS, id) is None
        assert views.user_items(id, PageParams()) is None


def test_empty_lists_are_empty(unit_of_work: Units) -> None:
    views = unit_of_work().views
    for page in (views.list(USERS, PageParams()), views.list(ITEMS, PageParams())):
        assert (list(page.rows), page.more) == ([], False)


def test_a_user_without_items_is_not_nobody(unit_of_work: Units) -> None:
    ((user_id,), _) = fill(unit_of_work, users=1)
    page = unit_of_work().views.user_items(user_id, PageParams())
    assert page is not None
    assert (list(page.rows), page.more) == ([], False)
    beyond = unit_of_work().views.user_items(user_id, PageParams(skip=5, after=5))
    assert beyond is not None
    assert not beyond.rows


@pytest.mark.parametrize(
    ("page", "expected", "more"),
    [
        (PageParams(), slice(0, 7), False),
        (PageParams(limit=7), slice(0, 7), False),
        (PageParams(limit=6), slice(0, 6), True),
        (PageParams(limit=2, skip=3), slice(3, 5), True),
        (PageParams(limit=2, skip=5), slice(5, 7), False),
        (PageParams(skip=7), slice(7, 7), False),
        (PageParams(skip=ID_MAX), slice(7, 7), False),
        (PageParams(after=ID_MAX), slice(7, 7), False),
    ],
)
def test_lists_are_cut_where_they_are_asked_to_be(
    unit_of_work: Units, page: PageParams, expected: slice, more: bool
) -> None:
    users, items = fill(unit_of_work, users=7, items=7)
    views = unit_of_work().views
    assert [user["id"] for user in views.list(USERS, page).rows] == users[expected]
    assert [item["id"] for item in views.list(ITEMS, page).rows] == items[expected]
    assert (views.list(USERS, page).more, views.list(ITEMS, page).more) == (more, more)


def test_following_after_shows_every_row_once_and_in_order(unit_of_work: Units) -> None:
    (users, items) = fill(unit_of_work, users=3, each=4)
    views, seen, after, more = unit_of_work().views, [], 0, True
    while more:
        page = views.list(ITEMS, PageParams(limit=5, after=after))
        seen += [item["id"] for item in page.rows]
        after, more = seen[-1], page.more
    assert seen == items
    own = views.user_items(users[1], PageParams(limit=2, skip=1, after=items[1]))
    assert own is not None
    assert [item["title"] for item in own.rows] == [f"{users[1]}/{n}" for n in (2, 3)]
    assert not own.more


def test_users_are_listed_by_id_only(unit_of_work: Units) -> None:
    with pytest.raises(ValueError, match="-id"):
        unit_of_work().views.list(USERS, PageParams(sort="-id"))


def test_a_user_is_shown_with_their_first_items_only(unit_of_work: Units) -> None:
    (users, _) = fill(unit_of_work, users=2, each=EMBEDDED_ITEMS + 2, items=1)
    views = unit_of_work().views
    listed = views.list(USERS, PageParams()).rows[1]
    assert views.read(USERS, users[1]) == listed
    assert [item["title"] for item in listed["items"]] == [f"{users[1]}/{n}" for n in range(EMBEDDED_ITEMS)]
    assert all(one["id"] < other["id"] for one, other in pairwise(listed["items"]))
    rest = views.user_items(users[1], PageParams(after=listed["items"][-1]["id"]))
    assert rest is not None
    assert len(rest.rows) == 2


PRICES = ["0.00", "0.01", "0.10", "0.29", "1.15", "4.35", "1.10", "9999999999.99", "1234567890.12"]


@pytest.mark.parametrize("price", PRICES)
def test_prices_are_shown_exactly(unit_of_work: Units, price: str) -> None:
    with unit_of_work() as uow:
        item = Item(title="Towel", price=Decimal(price))
        uow.items.add(item)
        uow.commit()
    shown = unit_of_work().views.read(ITEMS, item.id or 0)
    assert shown is not None
    assert Decimal(repr(shown["price"])) == Decimal(price)
    with unit_of_work() as uow:
        assert uow.items.get(item.id or 0).price == Decimal(price)


TEXTS = [
    "😀 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "e\u0301 is not \u00e9 here",
    "\u00e9",
    "ß ẞ ss",
    "ı I İ i",
    "ｆｕｌｌ",
    "trailing blanks  ",
    "  leading",
    "tab\tline\nreturn\r\u2028\u200b\ufeff",
    "'; DROP TABLE users; --",
    "%s %(x)s {} \\ \\' \" ` :name ?",
    "\u0001\u007f\u0085\uffff\U0010ffff",
    "x" * 255,
    "😀" * 255,
]


@pytest.mark.parametrize("title", TEXTS)
def test_text_comes_back_as_it_was_given(unit_of_work: Units, title: str) -> None:
    with unit_of_work() as uow:
        item = Item(title=title, description=title * 39)
        uow.items.add(item)
        uow.commit()
    shown = unit_of_work().views.read(ITEMS, item.id or 0)
    assert shown is not None
    assert (shown["title"], shown["description"]) == (title, title * 39)


def test_a_description_of_the_greatest_length_is_kept(unit_of_work: Units) -> None:
    with unit_of_work() as uow:
        item = Item(title="Towel", description="😀" * 10_000)
        uow.items.add(item)
        uow.commit()
    shown = unit_of_work().views.read(ITEMS, item.id or 0)
    assert shown is not None
    assert shown["description"] == "😀" * 10_000


def with_text(units: Units, *sizes: int, owners: int = 0) -> list[int]:
    """The ids of items with descriptions of so many characters, or of so many users who own as many each."""
    people = [User(email=f"user{n}@example.com", hashed_password="x") for n in range(owners)]
    with units() as uow:
        for user in people:
            uow.users.add(user)
        each = len(sizes) // (owners or 1)
        things = [
            Item(title="😀", description="é" * size, owner_id=people[n // each].id if people else None)
            for n, size in enumerate(sizes)
        ]
        for item in things:
            uow.items.add(item)
        uow.commit()
    return [thing.id or 0 for thing in (people or things)]


@pytest.mark.parametrize(
    ("characters", "expected", "more"),
    [(299, 1, True), (300, 2, True), (600, 3, False), (599, 2, True), (100, 1, True), (1, 1, True)],
)
def test_a_page_of_items_ends_before_it_has_too_many_characters(
    unit_of_work: Units, characters: int, expected: int, more: bool
) -> None:
    items = with_text(unit_of_work, 100, 200, 300)
    page = PageParams(characters=characters)
    for found in (
        unit_of_work().views.list(ITEMS, page),
        unit_of_work().views.list(ITEMS, replace(page, sort="title")),
        unit_of_work().views.list(ITEMS, page, {"q": "é"}),
    ):
        assert ([item["id"] for item in found.rows], found.more) == (items[:expected], more)


def test_a_page_of_the_items_of_a_user_ends_before_it_has_too_many_characters(unit_of_work: Units) -> None:
    (user,) = with_text(unit_of_work, 100, 200, 300, owners=1)
    page = unit_of_work().views.user_items(user, PageParams(characters=300))
    assert page is not None
    assert ([len(item["description"] or "") for item in page.rows], page.more) == ([100, 200], True)


@pytest.mark.parametrize(
    ("characters", "expected", "more"), [(599, 1, True), (600, 2, True), (1000, 3, False), (999, 2, True), (1, 1, True)]
)
def test_a_page_of_users_ends_before_their_items_have_too_many_characters(
    unit_of_work: Units, characters: int, expected: int, more: bool
) -> None:
    users = with_text(unit_of_work, 100, 200, 100, 200, 100, 300, owners=3)
    for conditions in (NO_FILTER, {"is_active": True}):
        page = unit_of_work().views.list(USERS, PageParams(characters=characters), conditions)
        assert ([user["id"] for user in page.rows], page.more) == (users[:expected], more)
        assert all(len(user["items"]) == 2 for user in page.rows)


def test_a_user_who_is_too_large_for_a_page_is_the_last_one_all_the_same(unit_of_work: Units) -> None:
    with_text(unit_of_work, *[10] * 3, owners=1)
    page = unit_of_work().views.list(USERS, PageParams(characters=1))
    assert ([len(user["items"]) for user in page.rows], page.more) == ([3], False)


def test_following_pages_that_end_early_shows_every_user_with_all_items_once(unit_of_work: Units) -> None:
    users = with_text(unit_of_work, *[10] * 12 * EMBEDDED_ITEMS, owners=12)
    seen, after, more = [], 0, True
    while more:
        page = unit_of_work().views.list(USERS, PageParams(after=after, characters=25 * EMBEDDED_ITEMS))
        assert [len(user["items"]) for user in page.rows] == [EMBEDDED_ITEMS] * 2
        seen += [user["id"] for user in page.rows]
        after, more = seen[-1], page.more
    assert seen == users
