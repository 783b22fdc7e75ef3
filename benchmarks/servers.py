"""Contestants as processes, each under the same server with the same settings, on a core of its own."""

import os
import re
import shutil
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

TOP = Path(__file__).parents[1]
PATIENCE = 30
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

    @contextmanager
    def shared(self) -> Iterator["Cores"]:
        """Let this process, and all that it starts meanwhile, use both; with these cores to start servers on."""
        if self.server is None or self.load is None:
            yield self
            return
        os.sched_setaffinity(0, {self.server, self.load})
        try:
            yield Cores(None, None)
        finally:
            os.sched_setaffinity(0, {self.load})

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
        """How long it and its workers have used the processor; not a number where the system does not tell."""
        if not Path(f"/proc/{self.process.pid}/stat").exists():
            return nan
        ticks = 0
        for process in (self.process.pid, *_children(self.process.pid)):
            user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
            ticks += int(user) + int(system)
        return ticks / os.sysconf("SC_CLK_TCK")

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
    command = [sys.executable, "-m", "uvicorn", "--factory", contestant.app, "--app-dir", str(TOP)]
    options = ["--host", "127.0.0.1", "--port", "0", "--no-access-log"]
    with started([*command, *options], environment(database_url), cores) as (process, log):
        yield Server(process, _port(process, log, ready=1))


@contextmanager
def serving(database_url: str, cores: Cores, workers: int) -> Iterator[Server]:
    """Belongings as its own command starts it, when all workers are ready.

    :raises RuntimeError: it does not start.
    """
    command = [belongings(), "serve", "--port", "0", "--workers", str(workers)]
    with started(command, environment(database_url), cores) as (process, log):
        server = Server(process, _port(process, log, ready=0))
        server.settle()  # it listens before its workers are there
        yield server


def belongings() -> str:
    """The command.

    :raises RuntimeError: it is not installed.
    """
    command = shutil.which("belongings", path=Path(sys.executable).parent)
    if command is None:
        raise RuntimeError(f"there is no command `belongings` beside {sys.executable}")
    return command


@contextmanager
def started(command: list[str], env: dict[str, str], cores: Cores) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A process in a folder of its own, and the file that holds what it says; both are gone at the end."""
    with TemporaryDirectory(prefix="belongings-bench-") as folder, (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)  # noqa: S603  # our own
        try:
            if cores.server is not None:
                os.sched_setaffinity(process.pid, {cores.server})  # before it has other threads; they inherit this
            yield process, Path(log.name)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def environment(database_url: str) -> dict[str, str]:
    """Ours, without settings of Belongings: all defaults, but one worker, and no line for each request by anybody."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("BELONGINGS_", "UVICORN_"))}
    return {**ours, "DATABASE_URL": database_url, "WEB_CONCURRENCY": "1", "BELONGINGS_LOG_REQUESTS": "false"}


def port_in(log: Path) -> int | None:
    """The free port that a server took, once it says so."""
    found = re.search(r"(?:running|listens) on http://127\.0\.0\.1:(\d+)", log.read_text())
    return int(found[1]) if found else None


def _port(process: "subprocess.Popen[bytes]", log: Path, *, ready: int) -> int:
    """The same, when it says that so many are ready."""
    deadline = monotonic() + PATIENCE
    while monotonic() < deadline and process.poll() is None:
        port = port_in(log)
        if port and log.read_text().count("Application startup complete") >= ready:
            return port
        sleep(0.02)
    raise RuntimeError(log.read_text() or "it did not start in time")


def _children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children")
    return [int(each) for each in listed.read_text().split()] if listed.exists() else []
