"""Sixteen clients that each send the next request as soon as they have the answer to the last."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from benchmarks.python_load import exchange
from benchmarks.scenarios import Scenario

CONNECTIONS = 16
_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load; ``p50`` and ``p99`` are milliseconds from a request to the end of its answer.

    :param failed: how many answers were errors, or did not come.
    """

    answers: int
    seconds: float
    p50: float
    p99: float
    failed: int


def generator() -> str:
    """What makes the load here."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return "Python, which holds the quickest back; get wrk for better figures: `apt-get install wrk`"
    said = subprocess.run([wrk, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603  # wrk is no stranger
    return said.partition(" [")[0]


def load(scenario: Scenario, port: int, seconds: int) -> Load:
    """Send this scenario's requests for so long."""
    wrk = shutil.which("wrk")
    return _by_wrk(wrk, scenario, port, seconds) if wrk else _by_python(scenario, port, seconds)


def _by_wrk(wrk: str, scenario: Scenario, port: int, seconds: int) -> Load:
    how = ["--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds}s", "--timeout=30s", "--latency"]
    what = [scenario.method, scenario.path, str(scenario.first), str(scenario.last), scenario.body]
    command = [wrk, *how, f"--script={_SCRIPT}", f"http://127.0.0.1:{port}", "--", *what]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout  # noqa: S603
    return Load(**json.loads(said.splitlines()[-1]))


def _by_python(scenario: Scenario, port: int, seconds: int) -> Load:
    latencies, took, failed = exchange(scenario, port, CONNECTIONS, seconds)
    percentiles = quantiles(latencies, n=100)
    return Load(len(latencies), took, percentiles[49] * 1000, percentiles[98] * 1000, failed)
