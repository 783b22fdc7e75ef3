"""Sixteen clients that each send the next request as soon as they have the answer to the last."""

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import nan
from pathlib import Path
from statistics import quantiles
from time import sleep

from benchmarks.python_load import exchange
from benchmarks.scenarios import CREATE, Scenario

CONNECTIONS = 16
WARM_UP = 0.5
"""Seconds of load before one that counts."""

_LEAD = 0.5
"""For how many seconds a writer is at work before and after the load that it is to disturb."""

_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load; ``p50`` and ``p99`` are milliseconds from a request to the end of its answer, if any came.

    :param failed: how many answers were errors, or did not come.
    """

    answers: int
    seconds: float
    p50: float
    p99: float
    failed: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def generator() -> str:
    """What makes the load here."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return "Python, which holds the quickest back; get wrk for better figures: `apt-get install wrk`"
    said = subprocess.run([wrk, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603  # wrk is no stranger
    return said.partition(" [")[0]


def warm_up(scenario: Scenario, port: int) -> Load:
    """Send this scenario's requests for a moment, until all are answered."""
    return _by_python(scenario, port, CONNECTIONS, WARM_UP)


def load(scenario: Scenario, port: int, seconds: int) -> Load:
    """Send this scenario's requests for so long."""
    wrk = shutil.which("wrk")
    return _by_wrk(wrk, scenario, port, seconds) if wrk else _by_python(scenario, port, CONNECTIONS, seconds)


def load_beside_writer(scenario: Scenario, port: int, seconds: int) -> tuple[Load, Load]:
    """The same while one further client creates items; and what came of that."""
    with ThreadPoolExecutor(1) as thread:
        writer = thread.submit(_by_python, CREATE, port, 1, _LEAD + seconds + _LEAD)
        sleep(_LEAD)
        return load(scenario, port, seconds), writer.result()


def _by_wrk(wrk: str, scenario: Scenario, port: int, seconds: int) -> Load:
    how = ["--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds}s", "--timeout=30s", "--latency"]
    what = [scenario.method, scenario.path, str(scenario.first), str(scenario.last), scenario.body]
    command = [wrk, *how, f"--script={_SCRIPT}", f"http://127.0.0.1:{port}", "--", *what]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout  # noqa: S603
    result = json.loads(said.splitlines()[-1])
    return Load(**result if result["answers"] else {**result, "p50": nan, "p99": nan})


def _by_python(scenario: Scenario, port: int, connections: int, seconds: float) -> Load:
    latencies, took, failed = exchange(scenario, port, connections, seconds)
    percentiles = quantiles(latencies, n=100) if len(latencies) > 1 else [nan] * 99
    return Load(len(latencies), took, percentiles[49] * 1000, percentiles[98] * 1000, failed)
