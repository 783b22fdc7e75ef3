"""Settings of the interpreter and the C library for a process that only serves the API."""

import ctypes
import gc
import sys
from contextlib import suppress

_GC_THRESHOLD = 20_000
"""New objects after which Python collects garbage. By default it does after 700 (2,000 from 3.13): three times during a
list of users, mostly without finding any, which took a tenth of all time."""

_M_MMAP_THRESHOLD = -3
"""The number of this option in glibc's ``malloc.h``."""

_MMAP_THRESHOLD = 256 * 1024
"""Bytes from which a buffer is returned to the system when it is freed."""

_SWITCH_INTERVAL = 0.001
"""Seconds after which a thread must release the GIL to one that waits. Python's default of 5 ms is longer than nearly
all requests take; while threads encoded large responses, each step of the event loop waited that long."""


def tune_process() -> None:
    """Apply them. What has been loaded by now is exempt from garbage collection.

    It stays anyway, and to search it paused the process for 45 ms at a time, which made the slowest 1 % of all reads.
    """
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    _return_freed_memory()


def _return_freed_memory() -> None:
    """Make glibc return the buffers of large responses to the system when they are freed.

    By default it raises the threshold up to 32 MiB and keeps smaller buffers for each thread: up to 100 MiB in all.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD)
