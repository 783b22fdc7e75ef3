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
"""The niceness of threads that hash: other threads get about nine times as much processor time."""


class Argon2PasswordHasher:
    """The argon2id parameters that OWASP recommends: 19 MiB, two passes, one lane.

    A hash takes about 20 ms and 19 MiB, so at most ``threads`` are computed at the same time. They run in threads of
    lower priority, because requests that only read would otherwise wait for a processor while all of them hash. The
    result is a PHC string of about 97 characters that contains its parameters and salt.
    """

    def __init__(self, threads: int = 1) -> None:
        self._argon2 = _Argon2(time_cost=_PASSES, memory_cost=_KIBIBYTES, parallelism=_LANES, type=Type.ID)
        self._threads = ThreadPoolExecutor(threads, "argon2", initializer=_lower_priority)

    def hash(self, password: str) -> str:
        return self._threads.submit(self._argon2.hash, password).result()

    def fingerprint(self, password: str, salt: str) -> str:
        salted = sha256(salt.encode()).digest()
        digest = self._threads.submit(
            hash_secret_raw, password.encode(), salted, _PASSES, _KIBIBYTES, _LANES, 32, Type.ID
        )
        return digest.result().hex()


def _lower_priority() -> None:
    """Lower the priority of this thread. Only Linux has a priority per thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
