"""Argon2id password hashes."""

from hashlib import sha256

from argon2 import PasswordHasher as _Argon2
from argon2.low_level import Type, hash_secret_raw

_PASSES, _KIBIBYTES, _LANES = 2, 19 * 1024, 1


class Argon2PasswordHasher:
    """The argon2id parameters that OWASP recommends: 19 MiB, two passes, one lane.

    A hash takes some 20 ms and 19 MiB, so callers bound how many run at once. The result
    is a PHC string that holds its own parameters and salt, about 97 characters.
    """

    def __init__(self) -> None:
        self._argon2 = _Argon2(time_cost=_PASSES, memory_cost=_KIBIBYTES, parallelism=_LANES, type=Type.ID)

    def hash(self, password: str) -> str:
        return self._argon2.hash(password)

    def fingerprint(self, password: str, salt: str) -> str:
        salted = sha256(salt.encode()).digest()
        return hash_secret_raw(password.encode(), salted, _PASSES, _KIBIBYTES, _LANES, 32, Type.ID).hex()
