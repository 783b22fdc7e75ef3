"""What an argon2id hash holds."""

import argon2
import pytest

from adapters.password_hashing import Argon2PasswordHasher


def test_a_hash_names_the_parameters_that_owasp_recommends() -> None:
    assert Argon2PasswordHasher().hash("wubbalubba").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_hash_fits_its_column() -> None:
    assert len(Argon2PasswordHasher().hash("😀" * 128)) <= 255


def test_two_hashes_of_one_password_differ() -> None:
    hasher = Argon2PasswordHasher()
    assert hasher.hash("wubbalubba") != hasher.hash("wubbalubba")


def test_a_hash_verifies_against_its_password_and_no_other() -> None:
    hashed = Argon2PasswordHasher().hash("wubbalubba")
    assert argon2.PasswordHasher().verify(hashed, "wubbalubba")
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(hashed, "wubbalubbb")
