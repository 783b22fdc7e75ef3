"""What filters, orders and counts promise, on every adapter."""

from collections.abc import Callable
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from domain.items import DESCRIPTION_MAX_LENGTH, PRICE_MAX
from domain.users import User
from service_layer.read_models import ID_MAX, ITEMS, USERS, ItemView, PageParams
from tests.contract.stored import Units, stored_item, stored_user

SORTS = [sign + column for column in ("id", *ITEMS.sorts) for sign in ("", "-")]


def store_items(units: Units, *items: dict[str, Any]) -> list[int]:
    return [stored_item(units, **item) for item in items]


def store_titles(units: Units, *titles: str) -> list[int]:
    return store_items(units, *({"title": title} for title in titles))


def store_prices(units: Units, *prices: str | None) -> list[int]:
    return store_items(units, *({"title": f"{price}", "price": price and Decimal(price)} for price in prices))


def found(units: Units, sort: str = "id", **sought: Any) -> list[str]:
    """The titles of the matching items, after checking that as many are counted."""
    views = units().views
    titles = [item["title"] for item in views.list(ITEMS, PageParams(sort=sort), sought).rows]
    assert views.count(ITEMS, sought) == len(titles)
    return titles


def found_users(units: Units, **sought: Any) -> list[int]:
    views = units().views
    ids = [user["id"] for user in views.list(USERS, PageParams(), sought).rows]
    assert views.count(USERS, sought) == len(ids)
    return ids


def test_where_there_is_nothing_nothing_is_found(unit_of_work: Units) -> None:
    assert found(unit_of_work) == []
    assert found(unit_of_work, "-price", owner_id=1, title="Towel", q="t", min_price=Decimal(0)) == []
    assert found_users(unit_of_work) == []
    assert found_users(unit_of_work, email="a@example.com", is_active=True) == []


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("Rick@example.com", "rICK@EXAMPLE.COM"),
        ("jos\u00e9@example.com", "JOSE\u0301@example.com"),
        ("straße@example.com", "STRASSE@example.com"),
        ("Σίσυφος@example.com", "ΣΊΣΥΦΟΣ@example.com"),
    ],
)
def test_a_user_is_found_by_any_spelling_of_their_address(unit_of_work: Units, address: str, other: str) -> None:
    stored_user(unit_of_work, "b@example.com")
    user = stored_user(unit_of_work, address)
    assert found_users(unit_of_work, email=address) == [user]
    assert found_users(unit_of_work, email=other) == [user]


@pytest.mark.parametrize(
    "other", ["jose@example.com", "ｊosé@example.com", "jos%@example.com", "jos_@example.com", "josé@example.com ", "é"]
)
def test_no_user_is_found_by_another_address(unit_of_work: Units, other: str) -> None:
    stored_user(unit_of_work, "jos\u00e9@example.com")
    assert found_users(unit_of_work, email=other) == []


def test_users_are_found_by_whether_they_are_active(unit_of_work: Units) -> None:
    a, b, c = (stored_user(unit_of_work, f"{n}@example.com", is_active=n != 1) for n in range(3))
    assert found_users(unit_of_work) == [a, b, c]
    assert found_users(unit_of_work, is_active=True) == [a, c]
    assert found_users(unit_of_work, is_active=False) == [b]
    assert found_users(unit_of_work, is_active=False, email="1@example.com") == [b]
    assert found_users(unit_of_work, is_active=True, email="1@example.com") == []


def test_users_that_are_found_come_with_their_items_and_in_pages(unit_of_work: Units) -> None:
    ids = [stored_user(unit_of_work, f"{n}@example.com", is_active=n % 2 == 0) for n in range(10)]
    items = store_items(unit_of_work, *({"owner_id": id} for id in ids for _ in range(2)))
    views, conditions = unit_of_work().views, {"is_active": True}
    first = views.list(USERS, PageParams(limit=2), conditions)
    rest = views.list(USERS, PageParams(limit=2, skip=1, after=ids[2]), conditions)
    assert ([user["id"] for user in first.rows], first.more) == ([ids[0], ids[2]], True)
    assert ([user["id"] for user in rest.rows], rest.more) == ([ids[6], ids[8]], False)
    assert [[item["id"] for item in user["items"]] for user in first.rows] == [items[0:2], items[4:6]]
    assert views.count(USERS, conditions) == 5


def test_a_change_of_a_user_changes_how_they_are_found(unit_of_work: Units) -> None:
    user = stored_user(unit_of_work)
    with unit_of_work() as uow:
        entity: User = uow.users.get(user)
        entity.email, entity.is_active = "B@example.com", False
        assert found_users(unit_of_work, email="a@example.com", is_active=True) == [user]  # it is not committed yet
        uow.commit()
    assert found_users(unit_of_work, email="b@example.com", is_active=False) == [user]
    assert found_users(unit_of_work, email="a@example.com") == found_users(unit_of_work, is_active=True) == []


def test_items_are_found_by_their_owner(unit_of_work: Units) -> None:
    one, other = stored_user(unit_of_work), stored_user(unit_of_work, "b@example.com")
    store_items(
        unit_of_work, *({"title": f"{n}", "owner_id": owner} for n, owner in enumerate([one, None, other, one]))
    )
    assert found(unit_of_work) == ["0", "1", "2", "3"]
    assert found(unit_of_work, owner_id=None) == ["1"]
    assert found(unit_of_work, owner_id=one) == ["0", "3"]
    assert found(unit_of_work, owner_id=other) == ["2"]
    assert found(unit_of_work, owner_id=0) == found(unit_of_work, owner_id=ID_MAX) == []


ALIKE = [
    "Towel",
    "towel",
    "Towel ",
    " Towel",
    "Towe",
    "Towels",
    "Töwel",
    "To\u0308wel",
    "T_wel",
    "T%",
    "Ｔowel",
    "Tow\tel",
]


@pytest.mark.parametrize("title", ALIKE)
def test_a_title_is_found_exactly(unit_of_work: Units, title: str) -> None:
    store_titles(unit_of_work, *ALIKE)
    assert found(unit_of_work, title=title) == [title]


@pytest.mark.parametrize("title", ["TOWEL", "Towel  ", "Tow", "", "%", "_____", "\\", "Towel\n"])
def test_nothing_else_is_found_by_its_title(unit_of_work: Units, title: str) -> None:
    store_titles(unit_of_work, *ALIKE)
    assert found(unit_of_work, title=title) == []


def test_titles_that_differ_in_their_last_character_only_are_found_apart(unit_of_work: Units) -> None:
    long = ["😀" * 254 + last for last in "😀😁"]
    store_titles(unit_of_work, *long)
    assert [found(unit_of_work, title=title) for title in long] == [[title] for title in long]


FOUND_BY_WORDS = [
    ("Portal gun", None, ["portal"]),
    ("Portal gun", None, ["ORTA"]),
    ("Portal gun", None, ["gun", "PORTAL"]),
    ("Portal gun", None, ["portal", "port", "rtal"]),
    ("Gun", "A portal, used", ["portal", "gun"]),
    ("Gun", "line\nportal", ["portal"]),
    ("Stra\u00dfe", None, ["STRASSE"]),
    ("STRASSE", None, ["stra\u00dfe"]),
    ("Stra\u00dfe", None, ["as\u017f"]),  # a long s folds to s, of which ß has two
    ("caf\u00e9", None, ["CAFE\u0301"]),
    ("CAFE\u0301", None, ["f\u00e9"]),
    ("Σίσυφος", None, ["ΣΊΣΥΦΟΣ"]),
    ("100% wool", None, ["%"]),
    ("100% wool", None, ["0%"]),
    ("snake_case", None, ["e_c"]),
    ("back\\slash", None, ["k\\s"]),
    ("back\\", None, ["\\"]),
    ("\\%", None, ["\\%"]),
    ("\\_x", None, ["\\_"]),
    ("it's", None, ["t's"]),
    ('"; --', None, ['";', "--"]),
    ("a[b]c*?^$", None, ["[b]c*?^$"]),
    (":name %(x)s {0} ?", None, [":name", "%(x)s", "{0}", "?"]),
    ("😀 grin", None, ["😀"]),
    ("\U00010400", None, ["\U00010428"]),  # Deseret, in both cases
    ("a\u200bb", None, ["a\u200bb"]),
    ("\u0001x", None, ["\u0001"]),
    ("x", "y" * (DESCRIPTION_MAX_LENGTH - 4) + "last", ["ylast"]),
    ("x", "😀" * (DESCRIPTION_MAX_LENGTH - 1) + "z", ["😀" * 200 + "z"]),
    ("ß" * 255, "\u0390" * DESCRIPTION_MAX_LENGTH, ["s" * 510, "\u0390" * 100]),
    ("anything", None, []),
]
NOT_FOUND_BY_WORDS = [
    ("Portal gun", None, ["portals"]),
    ("Portal gun", None, ["portal", "flask"]),
    ("Portal", "gun", ["portalgun"]),
    ("Portal gun", None, ["p_rtal"]),
    ("Portal\uffffgun", None, ["\ufffd"]),
    ("Portal\ufffegun", None, ["\uffff"]),
    ("Portal gun", None, ["p%l"]),
    ("Portal gun", None, ["%"]),
    ("Portal gun", None, ["_"]),
    ("Portal gun", None, ["\\"]),
    ("Portal gun", None, ["\\p"]),
    ("100", None, ["100\\%"]),
    ("caf\u00e9", None, ["cafe"]),
    ("cafe", None, ["caf\u00e9"]),
    ("ｆｕｌｌ", None, ["full"]),
    ("TITLE", None, ["tıtle"]),
    ("\u0130", None, ["i\u200b"]),
    ("😀", None, ["😁"]),
    ("ab", None, ["a\u200bb"]),
]


@pytest.mark.parametrize(("title", "description", "words"), FOUND_BY_WORDS)
def test_words_are_found_inside_of_title_and_description(
    unit_of_work: Units, title: str, description: str | None, words: list[str]
) -> None:
    store_items(unit_of_work, {"title": title, "description": description})
    assert found(unit_of_work, q=" ".join(words)) == [title]


@pytest.mark.parametrize(("title", "description", "words"), NOT_FOUND_BY_WORDS)
def test_what_is_in_neither_is_not_found(
    unit_of_work: Units, title: str, description: str | None, words: list[str]
) -> None:
    store_items(unit_of_work, {"title": title, "description": description})
    assert found(unit_of_work, q=" ".join(words)) == []


def test_ten_words_can_be_sought_at_once(unit_of_work: Units) -> None:
    store_titles(unit_of_work, "a b c d e f g h i j", "a b c d e f g h i")
    assert found(unit_of_work, q=" ".join("JIHGFEDCBA")) == ["a b c d e f g h i j"]


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        ("0", None, ["0", "0.01", "5", "9999999999.99"]),
        (None, "9999999999.99", ["0", "0.01", "5", "9999999999.99"]),
        ("0.01", "5", ["0.01", "5"]),
        ("5.00", "5.0", ["5"]),
        ("5E+0", "500E-2", ["5"]),
        ("0.011", "4.999", []),
        ("0.001", None, ["0.01", "5", "9999999999.99"]),
        (None, "0.009999999999999999999999999999999999999999", ["0"]),
        ("0.0100000000000000000000000000000000000001", "5.000000000000000000000000000000001", ["5"]),
        ("9999999999.985", None, ["9999999999.99"]),
        ("9999999999.991", None, []),
        ("10000000000", None, []),
        (None, "10000000000", ["0", "0.01", "5", "9999999999.99"]),
        ("92233720368547758.08", None, []),  # in cents beyond 64 bits
        (None, "92233720368547758.08", ["0", "0.01", "5", "9999999999.99"]),
        ("1E+30", None, []),
        ("1E+300", None, []),
        (None, "1E+30", ["0", "0.01", "5", "9999999999.99"]),
        (None, "1E+300", ["0", "0.01", "5", "9999999999.99"]),
        ("-0.01", None, ["0", "0.01", "5", "9999999999.99"]),
        ("-1E+30", "-0", ["0"]),
        (None, "-0.001", []),
        (None, "-1E+30", []),
        ("5", "0.01", []),
    ],
)
def test_prices_are_compared_exactly_and_what_has_none_is_not_within_bounds(
    unit_of_work: Units, least: str | None, most: str | None, expected: list[str]
) -> None:
    store_prices(unit_of_work, "0", "0.01", None, "5", "9999999999.99")
    bounds: dict[str, Any] = {
        name: Decimal(price) for name, price in {"min_price": least, "max_price": most}.items() if price
    }
    assert found(unit_of_work, **bounds) == expected


def test_everything_that_is_asked_for_must_be_so_at_once(unit_of_work: Units) -> None:
    rick = stored_user(unit_of_work)
    conditions = {"title": "Portal gun", "description": "Used", "price": Decimal(5), "owner_id": rick}
    others = {"title": "Portal  gun", "description": "New", "price": Decimal(6), "owner_id": None}
    ids = store_items(
        unit_of_work, conditions, *({**conditions, name: value} for name, value in others.items()), conditions
    )
    price = Decimal(5)
    sought = {"owner_id": rick, "title": "Portal gun", "q": "used gun", "min_price": price, "max_price": price}
    views = unit_of_work().views
    assert [item["id"] for item in views.list(ITEMS, PageParams(sort="-id"), sought).rows] == [ids[-1], ids[0]]
    assert views.count(ITEMS, sought) == 2


def test_a_change_of_an_item_changes_how_it_is_found(unit_of_work: Units) -> None:
    rick = stored_user(unit_of_work)
    item = stored_item(unit_of_work, title="Towel", description="big")
    with unit_of_work() as uow:
        entity = uow.items.get(item)
        entity.title, entity.description, entity.price, entity.owner_id = "Straße", None, Decimal(1), rick
        assert found(unit_of_work, title="Towel", q="TOWEL big", owner_id=None) == ["Towel"]
        uow.commit()
    assert found(unit_of_work, title="Straße", q="STRASSE", owner_id=rick, max_price=Decimal(1)) == ["Straße"]
    assert found(unit_of_work, q="towel") == found(unit_of_work, q="big") == []
    with unit_of_work() as uow:
        uow.items.get(item).description = "BIG"
        uow.commit()
    assert found(unit_of_work, q="big strasse") == ["Straße"]


def test_counts_are_of_all_pages(unit_of_work: Units) -> None:
    store_titles(unit_of_work, *(f"{n % 3}" for n in range(120)))
    views = unit_of_work().views
    assert len(views.list(ITEMS, PageParams()).rows) == 100
    assert (views.count(ITEMS), views.count(ITEMS, {"title": "1"})) == (120, 40)
    assert views.count(USERS) == 0


# In the order of their code points: other orders know letters, ignore case or punctuation, pad with blanks, or
# compare UTF-16, where the emoji come before \uffff.
TITLES = [
    "\u0001",
    " b",
    "1",
    "10",
    "2",
    "A",
    "B",
    "_",
    "a",
    "a\u0001",
    "a ",
    "a-b",
    "aB",
    "ab",
    "a\u00a0",
    "a\u0308",
    "b",
    "z",
    "\u00c4",
    "\u00df",
    "\u00e4",
    "\u0131",
    "\u4e00",
    "\uff41",
    "\uffff",
    "\U0001f600",
    "\U0001f600" * 254 + "\U0001f600",
    "\U0001f600" * 254 + "\U0001f601",
    "\U0010ffff",
]


def test_titles_are_sorted_by_code_points(unit_of_work: Units) -> None:
    store_titles(unit_of_work, *reversed(TITLES))
    assert found(unit_of_work, sort="title") == TITLES
    assert found(unit_of_work, sort="-title") == TITLES[::-1]


def test_what_has_no_price_comes_last_whichever_way_prices_are_sorted(unit_of_work: Units) -> None:
    store_prices(unit_of_work, None, "10", "9.99", "0", str(PRICE_MAX), "0.10", "0.09")
    up = ["0", "0.09", "0.10", "9.99", "10", str(PRICE_MAX)]
    assert found(unit_of_work, sort="price") == [*up, "None"]
    assert found(unit_of_work, sort="-price") == [*up[::-1], "None"]


ROWS: list[tuple[str, str | None]] = [
    ("b", "2"),
    ("a", None),
    ("b", "1"),
    ("c", "2"),
    ("a", None),
    ("b", "2"),
    ("a", "1"),
    ("d", None),
]
IN_ORDER: dict[str, list[int]] = {
    "id": [0, 1, 2, 3, 4, 5, 6, 7],
    "-id": [7, 6, 5, 4, 3, 2, 1, 0],
    "title": [1, 4, 6, 0, 2, 5, 3, 7],
    "-title": [7, 3, 5, 2, 0, 6, 4, 1],
    "price": [2, 6, 0, 3, 5, 1, 4, 7],
    "-price": [5, 3, 0, 6, 2, 7, 4, 1],
}


def store_rows(units: Units) -> list[int]:
    return store_items(units, *({"title": title, "price": price and Decimal(price)} for title, price in ROWS))


def place(item: ItemView, sort: str) -> dict[str, Any]:
    """The parameters of the page behind this item."""
    price = None if item["price"] is None else Decimal(repr(item["price"]))
    value = {"id": None, "title": item["title"], "price": price}[sort.removeprefix("-")]
    return {"after": item["id"], "after_value": value}


@pytest.mark.parametrize("sort", SORTS)
def test_what_is_equal_is_sorted_by_id_in_the_same_direction(unit_of_work: Units, sort: str) -> None:
    ids = store_rows(unit_of_work)
    page = unit_of_work().views.list(ITEMS, PageParams(sort=sort))
    assert [item["id"] for item in page.rows] == [ids[n] for n in IN_ORDER[sort]]


def followed(
    units: Units, sort: str, limit: int = 2, between: Callable[[int], None] | None = None, **conditions: Any
) -> list[int]:
    """The ids on all pages, of which there are 20 at most, each behind the last row of the one before.

    :param between: what somebody does between the pages, where that row was the last one.
    """
    seen: list[int] = []
    position: dict[str, Any] = {}
    for _ in range(20):
        page = units().views.list(ITEMS, PageParams(sort=sort, limit=limit, **position), conditions)
        seen += [item["id"] for item in page.rows]
        if not page.more:
            break
        position = place(page.rows[-1], sort)
        if between:
            between(page.rows[-1]["id"])
    return seen


@pytest.mark.parametrize(("sort", "limit"), [*product(SORTS, [1, 2, 3])])
def test_following_after_shows_every_row_once_and_in_order(unit_of_work: Units, sort: str, limit: int) -> None:
    ids = store_rows(unit_of_work)
    assert followed(unit_of_work, sort, limit) == [ids[n] for n in IN_ORDER[sort]]


@pytest.mark.parametrize("sort", SORTS)
def test_what_others_do_meanwhile_hides_and_repeats_no_row_that_stays_as_it_was(unit_of_work: Units, sort: str) -> None:
    ids = store_rows(unit_of_work)

    def others(last: int) -> None:
        store_items(unit_of_work, {"title": "0"}, {"title": "b", "price": Decimal("1.5")})
        with unit_of_work() as uow:
            uow.items.remove(uow.items.get(last))
            uow.commit()

    seen = followed(unit_of_work, sort, between=others)
    assert [id for id in seen if id in ids] == [ids[n] for n in IN_ORDER[sort]]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("sort", SORTS)
def test_skip_counts_from_the_row_that_after_names(unit_of_work: Units, sort: str) -> None:
    ids = store_rows(unit_of_work)
    views = unit_of_work().views
    start = place(views.list(ITEMS, PageParams(sort=sort)).rows[1], sort)
    for skip, expected, more in [(1, IN_ORDER[sort][3:5], True), (4, IN_ORDER[sort][6:8], False), (ID_MAX, [], False)]:
        page = views.list(ITEMS, PageParams(sort=sort, limit=2, skip=skip, **start))
        assert ([item["id"] for item in page.rows], page.more) == ([ids[n] for n in expected], more)
    page = views.list(ITEMS, PageParams(sort=sort, limit=2, skip=2))
    assert [item["id"] for item in page.rows] == [ids[n] for n in IN_ORDER[sort][2:4]]


@pytest.mark.parametrize("sort", SORTS)
def test_a_page_begins_behind_a_row_that_is_not_there_any_more(unit_of_work: Units, sort: str) -> None:
    ids = store_rows(unit_of_work)
    for n, row in enumerate(unit_of_work().views.list(ITEMS, PageParams(sort=sort)).rows):
        with unit_of_work() as uow:
            uow.items.remove(uow.items.get(row["id"]))
            uow.commit()
        rest = unit_of_work().views.list(ITEMS, PageParams(sort=sort, **place(row, sort))).rows
        assert [item["id"] for item in rest] == [ids[n] for n in IN_ORDER[sort][n + 1 :]]


@pytest.mark.parametrize("sort", ["title", "-title", "price", "-price"])
def test_a_page_begins_behind_the_place_that_a_changed_row_had(unit_of_work: Units, sort: str) -> None:
    ids = store_rows(unit_of_work)
    middle = 3
    row = unit_of_work().views.list(ITEMS, PageParams(sort=sort)).rows[middle]
    with unit_of_work() as uow:
        item = uow.items.get(row["id"])
        item.title, item.price = "a", Decimal(0)
        uow.commit()
    rest = [item["id"] for item in unit_of_work().views.list(ITEMS, PageParams(sort=sort, **place(row, sort))).rows]
    assert [id for id in rest if id != row["id"]] == [ids[n] for n in IN_ORDER[sort][middle + 1 :]]
    assert (row["id"] in rest) == sort.startswith("-")


@pytest.mark.parametrize(
    ("sort", "after", "value", "expected"),
    [
        ("id", 4, "ignored", [4, 5, 6, 7]),
        ("-id", 4, Decimal(1), [2, 1, 0]),
        ("title", 1, "aa", [0, 2, 5, 3, 7]),
        ("-title", ID_MAX, "aa", [6, 4, 1]),
        ("title", 3, "b", [5, 3, 7]),
        ("-title", 3, "b", [0, 6, 4, 1]),
        ("title", ID_MAX, "d", []),
        ("-title", 1, "a", []),
        ("title", 1, "b ", [3, 7]),
        ("title", 1, "\U0001f600", []),
        ("-title", 1, "\U0001f600", [7, 3, 5, 2, 0, 6, 4, 1]),
        ("price", 1, Decimal("1.50"), [0, 3, 5, 1, 4, 7]),
        ("-price", ID_MAX, Decimal("1.50"), [6, 2, 7, 4, 1]),
        ("price", ID_MAX, Decimal(0), [2, 6, 0, 3, 5, 1, 4, 7]),
        ("price", ID_MAX, PRICE_MAX, [1, 4, 7]),
        ("-price", ID_MAX, Decimal(0), [7, 4, 1]),
        ("price", 4, None, [4, 7]),
        ("-price", 4, None, [1]),
        ("-price", ID_MAX, None, [7, 4, 1]),
    ],
)
def test_a_page_begins_behind_a_place_where_no_row_ever_was(
    unit_of_work: Units, sort: str, after: int, value: str | Decimal | None, expected: list[int]
) -> None:
    """In the expectation rows are counted from 0, in ``after`` from 1."""
    ids = store_rows(unit_of_work)
    id = after if after == ID_MAX else ids[after - 1]
    page = unit_of_work().views.list(ITEMS, PageParams(sort=sort, after=id, after_value=value))
    assert [item["id"] for item in page.rows] == [ids[n] for n in expected]


@pytest.mark.parametrize("sort", SORTS)
def test_filters_and_orders_go_together_with_pages(unit_of_work: Units, sort: str) -> None:
    rick = stored_user(unit_of_work)
    mine = [n for n in range(len(ROWS)) if n % 3]
    ids = store_items(
        unit_of_work,
        *(
            {"title": title, "price": price and Decimal(price), "owner_id": rick if n in mine else None}
            for n, (title, price) in enumerate(ROWS)
        ),
    )
    assert followed(unit_of_work, sort, owner_id=rick) == [ids[n] for n in IN_ORDER[sort] if n in mine]
