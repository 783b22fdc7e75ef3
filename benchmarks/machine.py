"""On what the figures were made."""

import os
import platform
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from time import perf_counter

from benchmarks.load import generator

_LIBRARIES = ("fastapi", "starlette", "pydantic", "sqlalchemy", "uvicorn", "uvloop", "httptools", "psycopg", "asyncpg")


def described() -> dict[str, str]:
    """What matters for the figures, by name."""
    return {
        "Processor": f"{_processor()}, {os.cpu_count()} cores",
        "Busy before the start": _busy(),
        "Writing 4 KiB to the disk": f"{_write() * 1e6:,.0f} µs",
        "System": platform.system(),
        "Python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES if find_spec(name)},
        "Load": generator(),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", path.read_text()) if path.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _busy() -> str:
    if not hasattr(os, "getloadavg"):
        return "unknown"
    return f"{os.getloadavg()[0]:.1f} processes on average; anything but 0 is noise in the figures"


def _write() -> float:
    """Seconds to write a block to where the SQLite files are, synced as each commit is; a median."""
    times = []
    with TemporaryFile(buffering=0) as file:
        for _ in range(100):
            started = perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            times.append(perf_counter() - started)
    return median(times)
