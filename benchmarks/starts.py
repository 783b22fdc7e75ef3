"""How long the command takes to start."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter, sleep

from benchmarks.contestants import BELONGINGS
from benchmarks.data import Copies
from benchmarks.markdown import table
from benchmarks.scenarios import WrongAnswer
from benchmarks.servers import PATIENCE, Cores, belongings, environment, port_in, started

_TIMES = 5

_TEXT = f"""## Start

On SQLite with an existing database, after one uncounted start that compiled everything; medians of {_TIMES}.
"""

Measured = dict[str, list[float]]
"""Seconds, by what was started."""


@contextmanager
def compiling_once() -> Iterator[None]:
    """Let every Python that is started meanwhile find what others have compiled, in a folder that is gone at the end.

    Where ``PYTHONDONTWRITEBYTECODE`` is set each would compile everything: it takes longer than all else of a start.
    """
    before = dict(os.environ)
    with TemporaryDirectory(prefix="belongings-bench-") as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def measure(copies: Copies, cores: Cores, note: Callable[[str], object]) -> Measured:
    """Start the service and ask for help, in turn.

    :raises WrongAnswer: the service does not become ready.
    """
    measured: Measured = {"`belongings serve`, until `/health/ready` answers 200": [], "`belongings --help`": []}
    command = belongings()
    with copies.fresh(BELONGINGS.schema) as url:
        env = environment(url)
        for _ in range(1 + _TIMES):
            for seconds, start in zip(measured.values(), (_serve, _help), strict=True):
                seconds.append(start(command, env, cores))
    for title, seconds in measured.items():
        del seconds[0]
        note(f"{title}: {median(seconds):.2f} s")
    return measured


def _serve(command: str, env: dict[str, str], cores: Cores) -> float:
    begun = perf_counter()
    with started([command, "serve", "--port", "0"], env, cores) as (process, log):
        deadline = monotonic() + PATIENCE
        while (port := port_in(log)) is None:
            if process.poll() is not None or monotonic() > deadline:
                raise WrongAnswer(f"belongings serve: {log.read_text()}")
            sleep(0.002)
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/health/ready")  # it listens already; the answer comes once it serves
        status = connection.getresponse().status
        took = perf_counter() - begun
        connection.close()
    if status != HTTPStatus.OK:
        raise WrongAnswer(f"/health/ready: {status}")
    return took


def _help(command: str, env: dict[str, str], cores: Cores) -> float:
    begun = perf_counter()
    with started([command, "--help"], env, cores) as (process, log):
        if process.wait(PATIENCE):
            raise WrongAnswer(f"belongings --help: {log.read_text()}")
        return perf_counter() - begun


def section(measured: Measured) -> str:
    """Of the page."""
    rows = [["", "seconds", "range"]]
    for title, seconds in measured.items():
        rows.append([title, f"{median(seconds):.2f}", f"{min(seconds):.2f} – {max(seconds):.2f}"])
    return f"{_TEXT}\n{table(rows)}"
