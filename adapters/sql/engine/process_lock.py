"""A lock that allows one process on a SQLite file, for versions of SQLite that need it."""

import os
import sqlite3
import sys
from pathlib import Path
from time import monotonic, sleep

from service_layer.errors import StorageUnavailable

_SAFE_SQLITE = (3, 51, 3)


def single_process_reason() -> str | None:
    """Why only one process may use a file: before 3.51.3, a concurrent write and checkpoint could corrupt it."""
    if sqlite3.sqlite_version_info >= _SAFE_SQLITE:
        return None
    return (
        f"SQLite {sqlite3.sqlite_version} can corrupt a file that several processes write to"
        " (3.51.3 and newer cannot, nor can PostgreSQL and MariaDB)"
    )


class ProcessLock:
    """A lock file next to the database, held by the process that uses it. It is released when the process ends.

    The database file itself cannot be locked: closing any handle on it would release the locks that SQLite holds in
    this process (POSIX.1-2017, fcntl).

    :param wait: how many seconds to wait for the process that holds it.
    :raises StorageUnavailable: another process holds it, or the file cannot be created.
    """

    def __init__(self, database: Path, *, wait: float = 0) -> None:
        self._path = lock_file(database)
        self._handle = self._acquire(monotonic() + wait)

    def _acquire(self, deadline: float) -> int:
        while True:
            try:
                handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise StorageUnavailable(f"unable to open database file: {error.strerror}") from error
            if _lock(handle) and _is_same(self._path, handle):
                return handle
            os.close(handle)
            if monotonic() > deadline:
                raise StorageUnavailable(f"another process uses it, and {single_process_reason()}")
            sleep(0.02)

    def release(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._handle)


def lock_file(database: Path) -> Path:
    """The file that a process locks while it uses a database."""
    path = database.resolve()
    return path.with_name(f"{path.name}-process")


def _is_same(path: Path, handle: int) -> bool:
    """Whether the file still exists: its previous holder may have deleted it after we opened it."""
    try:
        return path.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


def _lock(handle: int) -> bool:
    if sys.platform == "win32":
        return True  # not available; operators must run one process only
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
