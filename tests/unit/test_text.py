"""When two texts are equal; which text can be kept is tested with users and items."""

import pytest

from domain.text import folded

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
    assert folded(one) == folded(other)


@pytest.mark.parametrize(("one", "other"), TWO_TEXTS)
def test_what_only_looks_alike_is_another_text(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize("text", [text for pair in ONE_TEXT + TWO_TEXTS for text in pair])
def test_folding_again_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)
