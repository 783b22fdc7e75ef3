"""Argon2id password hashes."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from threading import get_native_id

from argon2 import PasswordHasher as _Argon2
from argon2.low_level import Type, hash_secret_raw

_PASSES, _KIBIBYTES, _LANES = 2, 19 * 1024, 1

_NICE = 10
"""Of the threads that hash: whatever else wants a processor gets nine times as much of it."""


class Argon2PasswordHasher:
    """The argon2id parameters that OWASP recommends: 19 MiB, two passes, one lane.

    A hash takes some 20 ms and 19 MiB, so no more than ``threads`` are made at once. They are made in
    threads that give way to others: where every processor hashes, reads would wait for one otherwise, each
    time that they need it. The result is a PHC string that holds its own parameters and salt, about 97
    characters.
    """

    def __init__(self, threads: int = 1) -> None:
        self._argon2 = _Argon2(time_cost=_PASSES, memory_cost=_KIBIBYTES, parallelism=_LANES, type=Type.ID)
        self._threads = ThreadPoolExecutor(threads, "argon2", initializer=_lower_priority)

    def hash(self, password: str) -> str:
        return self._threads.submit(self._argon2.hash, password).result()

    def fingerprint(self, password: str, salt: str) -> str:
        salted = sha256(salt.encode()).digest()
        made = self._threads.submit(
            hash_secret_raw, password.encode(), salted, _PASSES, _KIBIBYTES, _LANES, 32, Type.ID
        )
        return made.result().hex()


def _lower_priority() -> None:
    """Lower the priority of this thread; only Linux has one for each."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
