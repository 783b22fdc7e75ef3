"""Writing standard error in a background thread, so that a slow reader of the log blocks nothing else."""

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
"""The maximum bytes that wait to be written: about 35,000 lines for requests."""

_CHUNK = 64 * 1024
_PAUSE = 0.02
"""Seconds in which lines are collected before they are written at once. A write for each line would take longer in all,
and the thread would take the interpreter from the requests each time."""

_FLUSH_TIMEOUT = 0.5
"""Seconds for the last lines to be written before the process ends."""


def write_stderr_in_background(describe: Callable[[int], str]) -> None:
    """Replace ``sys.stderr``, so that a thread writes all of it: the log, warnings, tracebacks.

    :param describe: makes the line that says how many lines were dropped.
    """
    plain = sys.stderr
    try:
        file = plain.fileno()
    except (AttributeError, OSError):  # it is closed, or not a file
        return
    if _writer():
        return

    def end() -> None:
        if flush_stderr():
            sys.stderr = plain  # for output after threads have ended

    sys.stderr = io.TextIOWrapper(BackgroundWriter(file, describe), plain.encoding, plain.errors, write_through=True)
    atexit.register(end)


def flush_stderr() -> bool:
    """Wait until all lines are written, for half a second at most; return whether they are."""
    writer = _writer()
    return writer is None or writer.drain(_FLUSH_TIMEOUT)


def dropped_lines() -> int:
    """The number of lines that this process has dropped because they were not read in time."""
    writer = _writer()
    return 0 if writer is None else writer.dropped


def _writer() -> "BackgroundWriter | None":
    writer = getattr(sys.stderr, "buffer", None)
    return writer if isinstance(writer, BackgroundWriter) else None


class BackgroundWriter(io.RawIOBase):
    """A stream that buffers what is written to it, and writes it to a file in a thread.

    While the buffer is full, it drops lines. Once there is room again, it adds a line that says how many.

    :param file: the file descriptor.
    :param describe: makes the line that says how many lines were dropped.
    :ivar dropped: the number of lines that were dropped.
    """

    def __init__(self, file: int, describe: Callable[[int], str]) -> None:
        super().__init__()
        self._file = file
        self._describe = describe
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        """Start with an empty buffer and no thread. So does a forked process, which does not inherit threads."""
        self._lock = RLock()  # reentrant: a finalizer may run at any point, and log
        self._buffer = bytearray()
        self._writing = False
        self._failing = False
        self.dropped = 0
        self._reported = 0
        self._wake = SimpleQueue[None]()
        self._thread: Thread | None = None

    def write(self, data: Any, /) -> int:
        """Buffer the data, or drop it if the buffer is full; never block."""
        with self._lock:
            if len(self._buffer) + len(data) > LIMIT:
                self.dropped += data.count(b"\n")
                return len(data)
            if not self._buffer:
                self._wake.put(None)
            if self._reported < self.dropped:
                self._report_dropped()
            self._buffer += data
            if self._thread is None:
                self._thread = Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
        return len(data)

    def drain(self, seconds: float) -> bool:
        """Wait until the buffer is empty, at most this long; return whether it is."""
        deadline = monotonic() + seconds
        while self._buffer or self._writing:
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
            while chunk := self._take():
                self._put(chunk)

    def _take(self) -> bytes:
        with self._lock:
            if not self._buffer and self._reported < self.dropped and not self._failing:
                self._report_dropped()
            chunk = bytes(self._buffer[:_CHUNK])
            self._writing = bool(chunk)  # set before the buffer is emptied, or drain() might miss it
            del self._buffer[:_CHUNK]
            return chunk

    def _report_dropped(self) -> None:
        count = self.dropped - self._reported
        self._reported = self.dropped
        self._buffer += f"{self._describe(count)}\n".encode()

    def _put(self, chunk: bytes) -> None:
        self._failing = False
        while chunk:
            try:
                chunk = chunk[os.write(self._file, chunk) :]
            except BlockingIOError:
                sleep(_PAUSE)
            except OSError:  # a full disk, or a closed pipe: go on, and drop lines
                self._failing = True
                with self._lock:
                    self.dropped += chunk.count(b"\n")
                return
