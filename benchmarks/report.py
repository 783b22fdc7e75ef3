"""The page for the documentation."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestants import BELONGINGS, FLOORS, NO_OP, TUTORIAL, Contestant, contestants
from benchmarks.load import CONNECTIONS, WARM_UP
from benchmarks.markdown import filled_in, number, strong, table
from benchmarks.measurements import Figures
from benchmarks.medians import ratio
from benchmarks.rows import ITEMS_EACH, USERS
from benchmarks.scenarios import NOTHING, SCENARIOS, USERS_LIST, Scenario

TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

BY_HAND = "<!-- Everything below is written by hand and is kept when the page is regenerated. -->"

_INTRODUCTION = """# Benchmarks

Requests per second of Belongings and of alternatives that you might use or write instead, measured in turn on one
machine. Compare the **ratios**: the figures depend on the machine, the ratios hardly do.

- **tutorial**: FastAPI's SQL tutorial as published, with current syntax. Its items have no prices.
- **floor**: FastAPI and the database driver with nothing in between, hand-written for these requests only.
- **no-op**: a FastAPI route that does nothing.

`python3 -m uv run --group bench python -m benchmarks` repeats the measurements and regenerates this page; `--help`
lists the options. It uses wrk (`apt-get install wrk`) if it is installed, and otherwise generates the load in Python.
PostgreSQL is measured if `BENCH_POSTGRES_URL` names a server where databases can be created.

![Requests a second](<plot>)
"""

_METHOD = """## How it was measured

- Each contestant was one uvicorn process with one worker and no access log. Pinned: <cores>.
- The data were <users> users with <each> items each, created again for every start.
- <connections> clients each sent the next request as soon as they had the response to the previous one, for <warm_up>
  s of warm-up and then for <seconds> s, or <longer> s for the list of users, where the slowest contestant takes long.
  Each request read another user, or created an item for another one.
- The contestants took turns, <rounds> times. The figures are medians; the range covers all rounds. A round with a
  failed response does not count for that request.
- Before the load, all responses were compared with the data. After it, the created rows were counted.
- Created rows were on disk before the response: each database used its safe settings.
- CPU is the processor time of the server process per response (without PostgreSQL's processes). It distinguishes
  contestants even if other programs disturb the rest. Memory is the resident size after the load.
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured, how, and on what.

    :param figures: by the kind of database.
    :param sections: of the page, on what was measured besides.
    """

    figures: dict[str, Figures]
    sections: list[str]
    machine: dict[str, str]
    cores: str
    rounds: int
    seconds: int


def page(run: Run, plot: str) -> str:
    """All of it in Markdown.

    :param plot: the name of the file with the plot, beside this one.
    """
    parts = [_INTRODUCTION.replace("<plot>", plot)]
    for kind, figures in run.figures.items():
        parts += [f"## {TITLES[kind]}\n", _ratios(kind, figures), _figures(kind, figures)]
    parts += [*run.sections, _method(run)]
    return "\n".join([*parts, "## Machine\n", table([["", ""], *map(list, run.machine.items())])])


def _ratios(kind: str, figures: Figures) -> str:
    rows = [["Belongings", "rate ÷ tutorial", "p99 ÷ tutorial", "rate ÷ floor", "rate ÷ no-op"]]
    for scenario in SCENARIOS:
        times = _ratio(figures, "rate", scenario, TUTORIAL)
        p99 = _ratio(figures, "p99", scenario, TUTORIAL)
        floor = _ratio(figures, "rate", scenario, FLOORS[kind])
        nothing = _ratio(figures, "rate", scenario, NO_OP)
        compared = [strong(number(times, ".1f", " ×")), number(p99, ".0%")]
        rows.append([scenario.title, *compared, strong(number(floor, ".0%")), number(nothing, ".0%")])
    return table(rows)


def _ratio(figures: Figures, name: str, scenario: Scenario, other: Contestant) -> float:
    against = NOTHING if other is NO_OP else scenario
    return ratio(figures.median((BELONGINGS, scenario), name), figures.median((other, against), name))


def _figures(kind: str, figures: Figures) -> str:
    rows = [["", "", "requests/s", "range", "p50, ms", "p99, ms", "CPU, µs", "memory, MiB"]]
    for scenario in (NOTHING, *SCENARIOS):
        for contestant in contestants(kind):
            if (contestant, scenario) in figures:
                rows.append([scenario.title, contestant.name, *_columns(figures, contestant, scenario)])
    return table(rows)


def _columns(figures: Figures, contestant: Contestant, scenario: Scenario) -> list[str]:
    key = contestant, scenario
    rates = [each.rate for each in figures.counted(key)]
    span = f"{min(rates):,.0f} – {max(rates):,.0f}" if rates else "–"
    left_out = len(figures[key]) - len(rates)
    if left_out:
        span += f"; {left_out} of {len(figures[key])} rounds failed"
    shown = {"rate": ",.0f", "p50": ",.1f", "p99": ",.1f", "cpu": ",.0f", "memory": ",.0f"}
    columns = [number(figures.median(key, name), form) for name, form in shown.items()]
    return [columns[0], span, *columns[1:]]


def _method(run: Run) -> str:
    return filled_in(
        _METHOD,
        cores=run.cores,
        users=f"{USERS:,}",
        each=ITEMS_EACH,
        connections=CONNECTIONS,
        warm_up=WARM_UP,
        seconds=run.seconds,
        longer=max(run.seconds, USERS_LIST.least_seconds),
        rounds=run.rounds,
    )


def write(path: Path, text: str) -> None:
    """Replace the page, but for what was written by hand at its end."""
    _, marker, by_hand = path.read_text().partition(BY_HAND) if path.exists() else ("", "", "")
    path.write_text(f"{text}\n{BY_HAND}{by_hand if marker else chr(10)}")
