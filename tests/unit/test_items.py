"""Items: their titles, descriptions and prices."""

from decimal import Decimal

import pytest

from domain.errors import InvalidValue
from domain.items import PRICE_MAX, Item, exact_price


@pytest.mark.parametrize("title", ["x", " x ", "x" * 255, "😀" * 255, "\u200b", "line\nline"])
def test_a_title_has_1_to_255_characters(title: str) -> None:
    assert Item(title=title).title == title


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("", "must not be blank"),
        (" ", "must not be blank"),
        ("\t\r\n\u00a0\u2003\u3000", "must not be blank"),
        ("x" * 256, "must have at most 255 characters"),
        ("a\x00b", "must not contain NUL characters"),
        ("a\ud800b", "must be valid Unicode text"),
        ("Towel\udfff", "must be valid Unicode text"),
        ("e" + "\u0301" * 31, "must not have more than 30 combining marks in a row"),
    ],
)
def test_any_other_title_is_refused(title: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Item(title=title)
    assert (refused.value.field, refused.value.reason) == ("title", reason)


@pytest.mark.parametrize("description", [None, "", " ", "x" * 10_000, "\ue000"])
def test_a_description_is_optional_and_may_be_long(description: str | None) -> None:
    assert Item(title="Towel", description=description).description == description


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("x" * 10_001, "must have at most 10000 characters"),
        ("\x00", "must not contain NUL characters"),
        ("\udc00\ud800", "must be valid Unicode text"),
        ("\u0301\u0323" * 5_000, "must not have more than 30 combining marks in a row"),
    ],
)
def test_any_other_description_is_refused(description: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Item(title="Towel", description=description)
    assert (refused.value.field, refused.value.reason) == ("description", reason)


@pytest.mark.parametrize(
    ("price", "kept"),
    [
        ("0", "0.00"),
        ("-0", "0.00"),
        ("-0.00", "0.00"),
        ("0E+9", "0.00"),
        ("0.01", "0.01"),
        ("1.1", "1.10"),
        ("1.100000000000", "1.10"),
        ("1E+3", "1000.00"),
        ("9999999999.99", "9999999999.99"),
    ],
)
def test_a_price_is_kept_exactly_and_with_two_places(price: str, kept: str) -> None:
    assert str(Item(title="Towel", price=Decimal(price)).price) == kept


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("-0.01", "must be between 0 and 9999999999.99"),
        ("10000000000", "must be between 0 and 9999999999.99"),
        ("10000000000.00", "must be between 0 and 9999999999.99"),
        ("9999999999.991", "must be between 0 and 9999999999.99"),
        ("1E+999999", "must be between 0 and 9999999999.99"),
        ("NaN", "must be between 0 and 9999999999.99"),
        ("sNaN", "must be between 0 and 9999999999.99"),
        ("Infinity", "must be between 0 and 9999999999.99"),
        ("-Infinity", "must be between 0 and 9999999999.99"),
        ("0.001", "must have at most two decimal places"),
        ("1E-999999", "must have at most two decimal places"),
        ("9999999999.989", "must have at most two decimal places"),
    ],
)
def test_any_other_price_is_refused(price: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        exact_price(Decimal(price))
    assert (refused.value.field, refused.value.reason) == ("price", reason)


def test_the_greatest_price_survives_a_json_number() -> None:
    assert Decimal(repr(float(PRICE_MAX))) == PRICE_MAX


def test_an_item_needs_no_owner_description_or_price() -> None:
    item = Item(title="Towel")
    assert (item.description, item.price, item.owner_id, item.id, item.version) == (None, None, None, None, 1)


def test_items_are_themselves_and_not_what_they_say() -> None:
    assert Item(title="Towel") != Item(title="Towel")
    assert len({Item(title="Towel"), Item(title="Towel")}) == 2


def test_title_and_description_are_searched_as_folded_text_a_line_each() -> None:
    assert Item(title="Straße", description="CAFE\u0301").search_text == "strasse\ncaf\u00e9"
    assert Item(title="Towel").search_text == "towel\n"


def test_what_is_searched_follows_a_change_when_it_is_checked() -> None:
    item = Item(title="Towel", description="Big")
    item.title, item.description = "SIEVE", None
    item.check()
    assert item.search_text == "sieve\n"


def test_a_text_that_was_changed_is_checked_and_one_that_was_not_is_folded_once() -> None:
    item = Item(title="Towel", description="Big")
    item.search_text = "as it was folded"
    item.price = Decimal(1)
    item.check()
    assert item.search_text == "as it was folded"
    item.title = " "
    with pytest.raises(InvalidValue):
        item.check()


def test_what_is_searched_shows_in_no_log_line() -> None:
    assert "search_text" not in repr(Item(title="Towel"))
