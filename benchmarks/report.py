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

BY_HAND = "<!-- What follows is written by hand; it stays when the rest is written anew. -->"

_INTRODUCTION = """# Benchmarks

What Belongings does in a second beside what you might use or write instead, measured in turn on one machine. Look at
the **ratios**: on another machine the figures differ, the ratios hardly.

- **tutorial**: the service of FastAPI's SQL tutorial as published, in today's spelling. Its items have no prices.
- **floor**: FastAPI and the database's driver with nothing between, written by hand for these requests only.
- **no-op**: a FastAPI route that does nothing.

`python3 -m uv run --group bench python -m benchmarks` measures anew and writes this page; `--help` lists its options.
It wants wrk (`apt-get install wrk`), and makes the load in Python where there is none. PostgreSQL is measured if
`BENCH_POSTGRES_URL` names a server where databases can be created.

![Requests a second](<plot>)
"""

_METHOD = """## How it was measured

- Each contestant was one process of uvicorn with one worker and no access log. Pinned: <cores>.
- The data were <users> users with <each> items each, made anew for every start.
- <connections> clients each sent the next request as soon as they had the answer to the last, for <warm_up> s
  that did not count and then for <seconds> s that did, or <longer> s for a list of users, which takes the slowest long.
  Other users were read, and given items, each time.
- The contestants took turns, <rounds> times. The figures are the medians; the range is of all turns. A turn in which
  any answer failed does not count for that request.
- Before a load, answers to all requests were compared with the data. After it, what had been created was counted.
- What was created was on disk before the answer: each database was at its safe settings.
- CPU is the processor time of the server's process for one answer (PostgreSQL's own processes not included). It
  tells contestants apart even where other programs disturb the rest. Memory is what was resident after the load.
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
    return "\n".join([*parts, "## On what\n", table([["", ""], *map(list, run.machine.items())])])


def _ratios(kind: str, figures: Figures) -> str:
    rows = [["Belongings …", "times the tutorial", "its p99, of the tutorial's", "of the floor", "of the no-op"]]
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
