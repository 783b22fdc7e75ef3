"""Contestants as processes, each under the same server with the same settings, on a core of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from benchmarks.contestants import Contestant

_TOP = Path(__file__).parents[1]
_PATIENCE = 30
"""Seconds for a start."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core serves and which one makes the load; None where there are no two, or no way to choose."""

    server: int | None
    load: int | None

    @classmethod
    def divide(cls) -> "Cores":
        """Take the load's core for this process, and so for all that it starts."""
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        if not cores[1:]:
            return cls(None, None)
        os.sched_setaffinity(0, {cores[-1]})
        return cls(cores[0], cores[-1])

    def __str__(self) -> str:
        if self.server is None:
            return "server and load share all cores, since they cannot be pinned here: compare with care"
        return f"the server on core {self.server}, the load on core {self.load}"


@dataclass(frozen=True, slots=True)
class Server:
    """A contestant that answers on a port of its own."""

    process: "subprocess.Popen[bytes]"
    port: int

    def cpu_seconds(self) -> float:
        """How long it has used the processor; not a number where the system does not tell."""
        path = Path(f"/proc/{self.process.pid}/stat")
        if not path.exists():
            return nan
        user, system = path.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def settle(self) -> None:
        """Wait until it has finished what nobody waits for any more: requests of clients that have left."""
        used = -1.0
        while (now := self.cpu_seconds()) > used + 0.02:
            used = now
            sleep(0.2)

    def memory(self) -> float:
        """Its resident memory in MiB; not a number where the system does not tell."""
        path = Path(f"/proc/{self.process.pid}/status")
        found = re.search(r"VmRSS:\s+(\d+) kB", path.read_text()) if path.exists() else None
        return int(found[1]) / 1024 if found else nan


@contextmanager
def running(contestant: Contestant, database_url: str, cores: Cores) -> Iterator[Server]:
    """Start it, and end it.

    :raises RuntimeError: it does not start; the message is what it said.
    """
    with TemporaryDirectory(prefix="belongings-bench-") as folder, (Path(folder) / "log").open("wb") as log:
        command = [sys.executable, "-m", "uvicorn", "--factory", contestant.app, "--app-dir", str(_TOP)]
        options = ["--host", "127.0.0.1", "--port", "0", "--no-access-log"]
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and applications
            [*command, *options], cwd=folder, env=_environment(database_url), stdout=log, stderr=log
        )
        try:
            if cores.server is not None:
                os.sched_setaffinity(process.pid, {cores.server})  # before it has other threads; they inherit this
            yield Server(process, _port(process, Path(log.name)))
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(database_url: str) -> dict[str, str]:
    """Ours, without settings of Belongings: all defaults, and one worker."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("BELONGINGS_", "UVICORN_"))}
    return {**ours, "DATABASE_URL": database_url, "WEB_CONCURRENCY": "1"}


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """The free port that it took, as it logs once it is ready."""
    deadline = monotonic() + _PATIENCE
    while monotonic() < deadline and process.poll() is None:
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return int(found[1])
        sleep(0.02)
    raise RuntimeError(log.read_text() or "it did not start in time")
