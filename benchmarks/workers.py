"""What a second worker adds where two cores are all there is, for the load and for PostgreSQL as well."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from pathlib import Path
from time import monotonic

from benchmarks.contestants import BELONGINGS
from benchmarks.data import Copies
from benchmarks.load import load, warm_up
from benchmarks.markdown import filled_in, number, strong, table
from benchmarks.medians import middle, ratio
from benchmarks.scenarios import USER
from benchmarks.servers import Cores, Server, serving

_ROUNDS = 3

_TEXT = """## Two workers

`belongings serve` on PostgreSQL with one worker and with two, reading <what>, <rounds> times in turn; medians.
Nothing is pinned: workers, PostgreSQL and the load share <cores>. One worker uses at most one core and leaves the
other to the rest; two workers share both with it. With one worker, everything together used <busy> cores, so on this
machine two workers can do **at most <most> ×** the work of one, if each response costs the same.

The last column excludes the rest: responses per second of the workers' own processor time. A ratio of 1 there means
that two workers with a core each do exactly twice the work of one; the measured ratio corresponds to **<apart> ×**.
"""


@dataclass(frozen=True, slots=True)
class Shares:
    """One load: answers a second, and how many cores the service, the load and all else kept busy meanwhile."""

    rate: float
    service: float
    load: float
    others: float

    @property
    def efficiency(self) -> float:
        """Answers for a second of the service's processor time."""
        return ratio(self.rate, self.service)


Measured = dict[int, list[Shares]]
"""What was measured in each round, by the number of workers."""


def measure(copies: Copies, cores: Cores, rounds: int, seconds: int, note: Callable[[str], object]) -> Measured:
    """Load one worker and two in turn, each time started anew on fresh data."""
    measured: Measured = {1: [], 2: []}
    with cores.shared() as unpinned:
        for round in range(min(rounds, _ROUNDS)):
            for workers, shares in measured.items():
                with copies.fresh(BELONGINGS.schema) as url, serving(url, unpinned, workers) as server:
                    warm_up(USER, server.port)
                    now = _load(server, seconds)
                shares.append(now)
                used = f"{now.service:.2f} cores, {now.load:.2f} for the load, {now.others:.2f} for all else"
                note(f"workers, round {round + 1}: {workers}: {now.rate:,.0f}/s with {used}")
    return measured


def _load(server: Server, seconds: int) -> Shares:
    before = _spent(server)
    result = load(USER, server.port, seconds)
    took, service, own, machine = (late - early for late, early in zip(_spent(server), before, strict=True))
    rate = nan if result.failed else result.rate
    return Shares(rate, service / took, own / took, (machine - service - own) / took)


def _spent(server: Server) -> tuple[float, float, float, float]:
    """The time, and the seconds of processor time up to now: of the server, of our loads, of the machine."""
    return monotonic(), server.cpu_seconds(), sum(os.times()[:4]), _machine()


def _machine() -> float:
    path = Path("/proc/stat")
    if not path.exists():
        return nan
    user, nice, system, _idle, _waiting, irq, soft_irq = map(int, path.read_text().split()[1:8])
    return (user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK")


def section(measured: Measured, cores: Cores) -> str:
    """Of the page."""
    names = {"rate": ",.0f", "service": ".2f", "load": ".2f", "others": ".2f", "efficiency": ",.0f"}
    one, two = (
        {name: middle(getattr(each, name) for each in shares) for name in names} for shares in measured.values()
    )
    times = {name: ratio(two[name], one[name]) for name in names}
    rows = [["", "requests/s", "cores: workers", "load", "PostgreSQL, others", "requests/s of the workers' time"]]
    for title, values in (("one worker", one), ("two workers", two)):
        rows.append([title, *(number(values[name], form) for name, form in names.items())])
    shown = {name: number(value, ".2f", " ×") for name, value in times.items()}
    rows.append(["two, of one", strong(shown["rate"]), shown["service"], "", "", strong(shown["efficiency"])])
    busy = one["service"] + one["load"] + one["others"]
    text = filled_in(
        _TEXT,
        what=USER.title,
        rounds=len(measured[1]),
        cores="all cores" if cores.server is None else "two cores",
        busy=number(busy, ".2f"),
        most=number(min(ratio(os.cpu_count() or 1, busy), 2), ".2f"),
        apart=number(2 * times["efficiency"], ".2f"),
    )
    return f"{text}\n{table(rows)}"
