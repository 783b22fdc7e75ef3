"""When two texts are equal, and which are quick to normalize; what else can be kept is tested with users and items."""

from itertools import groupby
from time import thread_time
from unicodedata import combining, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidValue
from domain.numbers import check_number
from domain.text import check_text, fold_text, is_stream_safe

ONE_TEXT = [
    ("Towel", "tOWEL"),
    ("caf\u00e9", "CAFE\u0301"),  # composed, and decomposed in another case
    ("Straße", "STRASSE"),
    ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
    ("q\u0323\u0307", "q\u0307\u0323"),  # accents in any order
]
TWO_TEXTS = [("cafe", "caf\u00e9"), ("i", "ı"), ("i", "İ"), ("abc", "ａｂｃ"), ("towel", "towel "), ("a b", "a\u00a0b")]


@pytest.mark.parametrize(("one", "other"), ONE_TEXT)
def test_case_and_the_encoding_of_accents_make_no_other_text(one: str, other: str) -> None:
    assert fold_text(one) == fold_text(other)


@pytest.mark.parametrize(("one", "other"), TWO_TEXTS)
def test_what_only_looks_alike_is_another_text(one: str, other: str) -> None:
    assert fold_text(one) != fold_text(other)


@pytest.mark.parametrize("text", [text for pair in ONE_TEXT + TWO_TEXTS for text in pair])
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold_text(fold_text(text)) == fold_text(text)


@pytest.mark.parametrize(("text", "reason"), [("", "at least 2 characters"), ("abcd", "at most 3 characters")], ids=len)
def test_the_length_of_text_has_bounds(text: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=f"^name must have {reason}$"):
        check_text("name", text, min_length=2, max_length=3)
    for fitting in ("ab", "abc", None):
        check_text("name", fitting, min_length=2, max_length=3)


@pytest.mark.parametrize("number", [-3, 6])
def test_numbers_have_bounds(number: int) -> None:
    with pytest.raises(InvalidValue, match=r"^age must be between -2 and 5$"):
        check_number("age", number, minimum=-2, maximum=5)
    for fitting in (-2, 5, None):
        check_number("age", fitting, minimum=-2, maximum=5)


STREAM_SAFE = [
    "",
    "Towel",
    "\u0301" * 30,
    "a" + "\u0301" * 30,
    "\u00e9" + "\u0301" * 29,  # the letter brings an accent of its own
    ("a" + "\u0301" * 30) * 100,
    "\u0344" * 15,
]
NOT_STREAM_SAFE = [
    "\u0301" * 31,
    "\u0301\u0323" * 16,
    "\u00e9" + "\u0301" * 30,
    "a" * 100 + "\u0301" * 31 + "a",
    "\u0344" * 16,  # two accents in one character
    "\u0f73" * 16,  # two vowel signs, in a character that is a starter by itself
    "\uff9e" * 31,  # a starter, until it is decomposed for compatibility
    "\u0301" * 15 + "\u0f73" + "\uff9e" * 14,
]


@pytest.mark.parametrize("text", STREAM_SAFE)
def test_text_with_up_to_30_non_starters_in_a_row_is_stream_safe(text: str) -> None:
    assert is_stream_safe(text)


@pytest.mark.parametrize("text", NOT_STREAM_SAFE)
def test_text_with_more_non_starters_in_a_row_is_not_stream_safe(text: str) -> None:
    assert not is_stream_safe(text)


@given(st.text(st.sampled_from("a\u00e9\u0301\u0323\u0344\u0345\u0f73\u1faf\uff9e\ufdfa\ufc5e"), max_size=100))
def test_non_starters_are_counted_in_normalization_form_kd(text: str) -> None:
    runs = groupby(normalize("NFKD", text), lambda character: combining(character) != 0)
    longest = max((len(list(run)) for marks, run in runs if marks), default=0)
    assert is_stream_safe(text) == (longest <= 30)


_BY_CLASS = sorted(filter(combining, map(chr, range(0x20000))), key=combining, reverse=True)


def test_what_is_stream_safe_is_folded_in_no_time() -> None:
    worst = ("a" + "".join(_BY_CLASS[:: len(_BY_CLASS) // 30][:30])) * 10_000
    assert is_stream_safe(worst)
    begun = thread_time()
    fold_text(worst)
    assert thread_time() - begun < 2


def test_a_long_run_is_found_in_no_time() -> None:
    begun = thread_time()
    assert not is_stream_safe("".join(_BY_CLASS) * 1_000)
    assert thread_time() - begun < 2
