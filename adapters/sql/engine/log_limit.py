"""Keeping SQLite's write-ahead log from growing without end.

SQLite begins the log anew when all of it is in the database file and nobody reads from it. While reads overlap there is
always somebody who does, and the log grows by whatever is written. So once it is large, new reads are held back until
those that run have ended. A read that takes too long for that is interrupted, and runs again.
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
"""Bytes that the log may have before it is begun anew."""

_LOOK_AFTER = 0.05
"""Seconds between two looks at the size of the log: on Linux, a look makes the next commit take 40 µs longer."""

_GRACE = 0.1
"""Seconds in which reads may end by themselves before they are interrupted."""

_INTERRUPTION = 1.0
"""Seconds for those that are interrupted to notice: as long as SQLite may sort without looking at the time."""


class ReadGate:
    """Knows which connections read, and can hold all further ones back for a moment."""

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
        """A block that begins when nobody reads, if need be by interrupting who does, and in which nobody begins to."""
        with self._changed:
            self._closed = True
            if not self._changed.wait_for(self._is_empty, _GRACE):
                self.interrupts = True
                self._changed.wait_for(self._is_empty, _INTERRUPTION)
        try:
            yield
        finally:
            with self._changed:
                self._closed = self.interrupts = False
                self._changed.notify_all()

    def _is_empty(self) -> bool:
        return not self._reading


def limit_log(writer: Engine, readers: list[Engine]) -> ReadGate:
    """Begin the log anew after a commit that has made it too large; the gate through which all of these read."""
    gate = ReadGate()
    log = Path(f"{writer.url.database}-wal")
    limit, next_look = LOG_MAX, 0.0

    for engine in readers:
        event.listen(engine, "checkout", lambda _connection, record, _proxy: gate.enter(record))
        event.listen(engine, "checkin", lambda _connection, record: gate.leave(record))

    @event.listens_for(writer, "checkin")
    def begin_anew(connection: Any, _record: object) -> None:
        nonlocal limit, next_look
        if monotonic() < next_look:
            return
        next_look = monotonic() + _LOOK_AFTER
        size = _size(log)
        if connection is None or size <= limit:
            return
        busy = True
        with gate.closed(), suppress(sqlite3.Error):  # what was committed is committed
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        limit = size + LOG_MAX if busy else LOG_MAX  # another process reads: not again after each commit

    return gate


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
