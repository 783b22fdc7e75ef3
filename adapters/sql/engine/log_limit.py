"""A size limit for SQLite's write-ahead log (WAL).

SQLite restarts the log when all of it was copied to the database file and no connection reads from it. While reads
overlap, one always does, and the log grows with every write. So once it is large, new reads wait until the running ones
have ended. A read that takes too long is interrupted and runs again.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition
from time import monotonic
from typing import Any

from sqlalchemy import Engine, event

from service_layer.deadline import seconds_left

LOG_MAX = 32 * 2**20
"""Bytes; a larger log is truncated."""

_CHECK_INTERVAL = 0.05
"""Seconds between two checks of the size of the log; on Linux, a check makes the next commit take 40 µs longer."""

_GRACE_PERIOD = 0.1
"""Seconds in which running reads may finish before they are interrupted."""

_INTERRUPT_TIMEOUT = 1.0
"""Seconds to wait for interrupted reads to end; SQLite may sort for that long without checking."""


class ReadGate:
    """Tracks which connections are reading, and can block new reads for a moment."""

    def __init__(self) -> None:
        self._reading: set[int] = set()
        self._changed = Condition()
        self._closed = False
        self.interrupts = False

    def enter(self, record: object) -> None:
        with self._changed:
            if self._closed:
                self._changed.wait_for(lambda: not self._closed, seconds_left())
            self._reading.add(id(record))

    def leave(self, record: object) -> None:
        with self._changed:
            self._reading.discard(id(record))
            if self._closed:
                self._changed.notify_all()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """A block without reads: waits for running ones, interrupts them if necessary, and blocks new ones."""
        with self._changed:
            self._closed = True
            if not self._changed.wait_for(self._is_empty, _GRACE_PERIOD):
                self.interrupts = True
                self._changed.wait_for(self._is_empty, _INTERRUPT_TIMEOUT)
        try:
            yield
        finally:
            with self._changed:
                self._closed = self.interrupts = False
                self._changed.notify_all()

    def _is_empty(self) -> bool:
        return not self._reading


def limit_log(writer: Engine, readers: list[Engine]) -> ReadGate:
    """Truncate the log after a commit that has made it too large; return the gate that all these readers pass."""
    gate = ReadGate()
    log = Path(f"{writer.url.database}-wal")
    limit, next_check = LOG_MAX, 0.0

    for engine in readers:
        event.listen(engine, "checkout", lambda _connection, record, _proxy: gate.enter(record))
        event.listen(engine, "checkin", lambda _connection, record: gate.leave(record))

    @event.listens_for(writer, "checkin")
    def truncate_log(connection: Any, _record: object) -> None:
        nonlocal limit, next_check
        if monotonic() < next_check:
            return
        next_check = monotonic() + _CHECK_INTERVAL
        size = _size(log)
        if connection is None or size <= limit:
            return
        busy = True
        with gate.closed(), suppress(sqlite3.Error):  # the commit itself has succeeded
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        limit = size + LOG_MAX if busy else LOG_MAX  # another process reads: do not retry after every commit

    return gate


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
