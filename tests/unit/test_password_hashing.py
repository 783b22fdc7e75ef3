"""What an argon2id hash holds."""

from base64 import b64encode
from hashlib import sha256

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


def test_a_fingerprint_is_the_same_for_the_same_password_and_salt_only() -> None:
    fingerprint = Argon2PasswordHasher().fingerprint
    same = fingerprint("wubbalubba", "key")
    assert fingerprint("wubbalubba", "key") == same
    assert len({same, fingerprint("wubbalubbb", "key"), fingerprint("wubbalubba", "kez")}) == 3


@pytest.mark.parametrize(("password", "salt"), [("wubbalubba", ""), ("😀" * 128, "😀" * 255)])
def test_a_fingerprint_has_64_characters_and_shows_neither_password_nor_salt(password: str, salt: str) -> None:
    fingerprint = Argon2PasswordHasher().fingerprint(password, salt)
    assert len(fingerprint) == 64
    assert set(fingerprint) <= set("0123456789abcdef")


def test_a_fingerprint_is_as_hard_to_undo_as_a_hash() -> None:
    """It is the argon2id hash itself, with the parameters that a hash names."""
    hasher = Argon2PasswordHasher()
    salt, digest = sha256(b"key").digest(), bytes.fromhex(hasher.fingerprint("wubbalubba", "key"))
    parameters = hasher.hash("wubbalubba").rpartition("$")[0].rpartition("$")[0]
    encoded = [b64encode(part).decode().rstrip("=") for part in (salt, digest)]
    assert argon2.PasswordHasher().verify("$".join([parameters, *encoded]), "wubbalubba")
