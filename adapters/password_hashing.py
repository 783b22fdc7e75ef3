"""Argon2id password hashes."""

from argon2 import PasswordHasher as _Argon2
from argon2.low_level import Type


class Argon2PasswordHasher:
    """The argon2id parameters that OWASP recommends: 19 MiB, two passes, one lane.

    A hash takes some 20 ms and 19 MiB, so callers bound how many run at once. The result
    is a PHC string that holds its own parameters and salt, about 97 characters.
    """

    def __init__(self) -> None:
        self._argon2 = _Argon2(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)

    def hash(self, password: str) -> str:
        return self._argon2.hash(password)
