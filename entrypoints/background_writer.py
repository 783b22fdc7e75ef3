"""Standard error that is written in the background, so that nobody in this process waits for what reads it."""

import atexit
import io
import os
import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import RLock, Thread
from time import monotonic, sleep
from typing import Any

LIMIT = 4 * 1024 * 1024
"""Bytes that wait to be written; some 35,000 lines for requests."""

_PIECE = 64 * 1024
_PAUSE = 0.02
"""Seconds in which more may come before all of it is written at once. A write for each line takes longer, and a thread
that wakes up for each takes the interpreter from the requests."""

_LAST_LINES = 0.5
"""Seconds for what was logged last to be written before the process ends."""


def write_stderr_in_background(describe: Callable[[int], str]) -> None:
    """Let a thread write standard error from here on, whatever it comes from: logging, warnings, tracebacks.

    :param describe: the line that says how many were dropped.
    """
    plain = sys.stderr
    try:
        file = plain.fileno()
    except (AttributeError, OSError):  # it is closed, or no file
        return
    if _writer():
        return

    def end() -> None:
        if flush_stderr():
            sys.stderr = plain  # for what is said when threads have ended

    sys.stderr = io.TextIOWrapper(BackgroundWriter(file, describe), plain.encoding, plain.errors, write_through=True)
    atexit.register(end)


def flush_stderr() -> bool:
    """Wait until all of it is written, but not long; whether it is."""
    writer = _writer()
    return writer is None or writer.drain(_LAST_LINES)


def dropped_lines() -> int:
    """How many lines this process has dropped, as they were not read in time."""
    writer = _writer()
    return 0 if writer is None else writer.dropped


def _writer() -> "BackgroundWriter | None":
    writer = getattr(sys.stderr, "buffer", None)
    return writer if isinstance(writer, BackgroundWriter) else None


class BackgroundWriter(io.RawIOBase):
    """Keeps what is written to it, in order, until a thread of its own has written it to the file.

    Past ``LIMIT`` it drops what comes, and says how much that was in a line of its own once there is room again.

    :param file: its descriptor.
    :param describe: the line that says how many were dropped.
    :ivar dropped: how many lines were dropped until now.
    """

    def __init__(self, file: int, describe: Callable[[int], str]) -> None:
        super().__init__()
        self._file = file
        self._describe = describe
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        """Begin with nothing. So does a process that was forked, as threads stay with the one that it came from."""
        self._lock = RLock()  # no Lock: a finalizer, which may run anywhere, can have something to log
        self._kept = bytearray()
        self._writing = False
        self._failing = False
        self.dropped = 0
        self._described = 0
        self._wake = SimpleQueue[None]()
        self._thread: Thread | None = None

    def write(self, data: Any, /) -> int:
        """Keep this until it is written, or drop it; never wait."""
        with self._lock:
            if len(self._kept) + len(data) > LIMIT:
                self.dropped += data.count(b"\n")
                return len(data)
            if not self._kept:
                self._wake.put(None)
            if self._described < self.dropped:
                self._say_dropped()
            self._kept += data
            if self._thread is None:
                self._thread = Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
        return len(data)

    def drain(self, seconds: float) -> bool:
        """Wait until all is written, or this long; whether it is."""
        deadline = monotonic() + seconds
        while self._kept or self._writing:
            if monotonic() > deadline:
                return False
            sleep(_PAUSE / 4)
        return True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file

    def isatty(self) -> bool:
        return os.isatty(self._file)

    def _run(self) -> None:
        while True:
            self._wake.get()
            sleep(_PAUSE)
            while piece := self._take():
                self._put(piece)

    def _take(self) -> bytes:
        with self._lock:
            if not self._kept and self._described < self.dropped and not self._failing:
                self._say_dropped()
            piece = bytes(self._kept[:_PIECE])
            self._writing = bool(piece)  # before it is gone from the others, or it might be forgotten
            del self._kept[:_PIECE]
            return piece

    def _say_dropped(self) -> None:
        count = self.dropped - self._described
        self._described = self.dropped
        self._kept += f"{self._describe(count)}\n".encode()

    def _put(self, piece: bytes) -> None:
        self._failing = False
        while piece:
            try:
                piece = piece[os.write(self._file, piece) :]
            except BlockingIOError:
                sleep(_PAUSE)
            except OSError:  # a full disk, or nobody who could ever read it: no reason to fail
                self._failing = True
                with self._lock:
                    self.dropped += piece.count(b"\n")
                return
