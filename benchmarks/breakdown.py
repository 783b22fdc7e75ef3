"""The stages of a request as a table: what ``benchmarks.stages`` measures, and what the server adds."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from tempfile import TemporaryDirectory

from benchmarks.contestants import BELONGINGS
from benchmarks.data import Copies
from benchmarks.markdown import number, strong, table
from benchmarks.measurements import Figures
from benchmarks.medians import ratio
from benchmarks.scenarios import ITEMS, USER
from benchmarks.servers import TOP, environment

_PATIENCE = 300

_TEXT = """## Where the time of a request goes

Belongings on SQLite, in µs of processor time per request, on one core; each figure is the minimum of several. All
stages except the first were measured in a process without a server, with 16 concurrent requests: an empty endpoint,
then everything except threads and reading, then everything except reading, then everything. Reads and JSON were
measured separately, reads also in threads. The first stage is the additional time with a server; the remainder is
what the other stages do not explain.
"""

Measured = Mapping[str, Mapping[str, float]]
"""As ``benchmarks.stages`` prints it."""


def measure(copies: Copies, note: Callable[[str], object]) -> Measured:
    """On the cores of this process."""
    with copies.fresh(BELONGINGS.schema) as url, TemporaryDirectory(prefix="belongings-bench-") as folder:
        command = [sys.executable, "-m", "benchmarks.stages"]
        env = {**environment(url), "PYTHONPATH": str(TOP)}
        said = subprocess.run(  # noqa: S603  # our own
            command, cwd=folder, env=env, stdout=subprocess.PIPE, check=True, text=True, timeout=_PATIENCE
        ).stdout
    measured: Measured = json.loads(said)
    for title, spent in measured.items():
        note(f"stages: {title}: {', '.join(f'{name} {value:.0f}' for name, value in spent.items())} µs")
    return measured


def section(measured: Measured, figures: Figures) -> str:
    """Of the page.

    :param figures: what was measured with a server, on the same database.
    """
    columns = []
    for scenario in (USER, ITEMS):
        counted = figures.counted((BELONGINGS, scenario))
        with_server = min((each.cpu for each in counted), default=float("nan"))
        columns.append((_stages(measured[scenario.title], with_server), with_server))
    rows = [["", *(cell for scenario in (USER, ITEMS) for cell in (f"{scenario.title}, µs", ""))]]
    for stage in columns[0][0]:
        rows.append([stage, *(cell for stages, all in columns for cell in _share(stages[stage], all))])
    rows.append([strong("all"), *(cell for _, all in columns for cell in map(strong, _share(all, all)))])
    return f"{_TEXT}\n{table(rows)}"


def _share(spent: float, all: float) -> tuple[str, str]:
    return number(spent, ",.0f"), number(ratio(spent, all), ".0%")


def _stages(spent: Mapping[str, float], with_server: float) -> dict[str, float]:
    """What they sum up to is what a request takes with the server."""
    return {
        "server: uvicorn and its sockets": with_server - (spent["all"] - spent["asking"]),
        "framework: FastAPI, Starlette, middleware": spent["empty"] - spent["asking"],
        "routing, parameters, headers": spent["inline"] - spent["empty"] - spent["json"],
        "to a thread and back": spent["threads"] - spent["inline"],
        "SQL: pool, driver, SQLite": spent["read"] - spent["shape"],
        "threads that wait for each other": spent["lane, read"] - spent["lane"] - spent["read"],
        "rows to read models": spent["shape"],
        "read models to JSON": spent["json"],
        "remainder": spent["all"] - spent["threads"] - (spent["lane, read"] - spent["lane"]),
    }
