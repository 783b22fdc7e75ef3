"""Users, the rule by which addresses are unique, and the passwords that may be chosen."""

import pytest

from domain.errors import InvalidValue
from domain.passwords import check_password
from domain.users import User, canonical_email

AT = "@example.com"
ONE_ADDRESS = [
    ("Rick", "rICK"),
    ("caf\u00e9", "cafe\u0301"),  # composed and decomposed
    ("CAF\u00c9", "cafe\u0301"),
    ("ß", "ss"),
    ("ẞ", "SS"),
    ("Σ", "ς"),  # the sigma at the end of a word is still a sigma
    ("\u212b", "å"),  # the sign of the ångström
    ("\u0390", "\u1fd3"),
    ("α\u0345\u0301", "α\u0301\u0345"),  # accents in any order; one of them folds to a letter
    ("\u1fb7", "\u1fbc\u0342"),  # one letter in two cases, of which the one is composed in another way
    ("ǰ\u0323", "J\u030c\u0323"),  # folded, it comes apart, and its accents are put in order again
]
TWO_ADDRESSES = [
    ("cafe", "caf\u00e9"),
    ("i", "ı"),
    ("i", "İ"),
    ("abc", "ａｂｃ"),
    ("ﬁsh", "ﬂsh"),
    ("rick", "rick."),
    ("rick", "rick+tag"),
]


def user(email: str) -> User:
    return User(email=email, hashed_password="x")


@pytest.mark.parametrize(("one", "other"), ONE_ADDRESS)
def test_two_spellings_are_one_address(one: str, other: str) -> None:
    assert user(one + AT).email_key == user(other + AT).email_key


@pytest.mark.parametrize(("one", "other"), TWO_ADDRESSES)
def test_what_only_looks_alike_is_another_address(one: str, other: str) -> None:
    assert user(one + AT).email_key != user(other + AT).email_key


@pytest.mark.parametrize("email", [local + AT for pair in ONE_ADDRESS + TWO_ADDRESSES for local in pair])
def test_a_key_is_its_own_key(email: str) -> None:
    assert canonical_email(canonical_email(email)) == canonical_email(email)


def test_an_address_is_kept_as_it_was_given() -> None:
    assert user("Rick@Example.COM").email == "Rick@Example.COM"


@pytest.mark.parametrize("email", ["a@b", "a@b@c", "ß@b", "😀@b", "x" * 252 + "@b", "É" * 252 + "@b"])
def test_an_address_has_the_form_local_at_domain(email: str) -> None:
    assert user(email).email == email


@pytest.mark.parametrize(
    ("email", "reason"),
    [
        ("", "must have the form local@domain"),
        ("@", "must have the form local@domain"),
        ("rick", "must have the form local@domain"),
        ("@b", "must have the form local@domain"),
        ("a@", "must have the form local@domain"),
        ("a@b@", "must have the form local@domain"),
        ("a b@c", "must have the form local@domain"),
        ("a@b\n", "must have the form local@domain"),
        ("a\u00a0b@c", "must have the form local@domain"),
        ("a\x00@b", "must not contain NUL characters"),
        ("a\ud800@b", "must be valid Unicode text"),
        ("a" + "\u0301" * 31 + "@b", "must not have more than 30 combining marks in a row"),
        ("x" * 253 + "@b", "must have at most 254 characters"),
        ("ß" * 127 + "@b", "must have at most 254 characters"),  # 129 of its own, but its key has 256
        ("e\u0301" * 127 + "@b", "must have at most 254 characters"),  # 256 of its own, but its key has 129
    ],
)
def test_anything_else_is_no_address(email: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        user(email)
    assert (refused.value.field, refused.value.reason) == ("email", reason)


def test_a_key_may_have_as_many_characters_as_an_address() -> None:
    assert len(user("ß" * 126 + "@b").email_key) == 254


def test_a_new_user_is_active_and_not_stored_yet() -> None:
    new = user("a@b")
    assert (new.is_active, new.id, new.version) == (True, None, 1)


def test_what_is_shown_of_a_user_holds_no_hash() -> None:
    assert "secret" not in repr(User(email="a@b", hashed_password="secret"))


@pytest.mark.parametrize("password", ["x", "x" * 128, " ", "secret", "пароль", "😀", "\ttab and\n"])
def test_a_password_of_1_to_128_characters_may_be_chosen(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "must have at least 1 character"),
        ("x" * 129, "must have at most 128 characters"),
        ("1234567\x00", "must not contain NUL characters"),
        ("1234567\udfff", "must be valid Unicode text"),
        ("\u0301" * 31, "must not have more than 30 combining marks in a row"),
    ],
)
def test_any_other_password_is_refused(password: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        check_password(password)
    assert (refused.value.field, refused.value.reason) == ("password", reason)


@pytest.mark.parametrize("character", ["x", "😀"])  # characters are counted, not bytes
def test_a_longer_password_can_be_asked_for(character: str) -> None:
    check_password(character * 12, min_length=12)
    with pytest.raises(InvalidValue, match="password must have at least 12 characters"):
        check_password(character * 11, min_length=12)
