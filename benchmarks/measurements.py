"""Rounds in which all contestants take turns, and the medians over them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.contestants import Contestant, contestants
from benchmarks.data import ITEMS_EACH, USERS, Copies, count_items
from benchmarks.load import load
from benchmarks.scenarios import CREATE, Scenario, WrongAnswer, check, scenarios_for
from benchmarks.servers import Cores, Server, running

WARM_UP = 1
"""Seconds of load before each that counts."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One load: answers a second, milliseconds, µs of the server's processor time an answer, MiB, failures."""

    rate: float
    p50: float
    p99: float
    cpu: float
    memory: float
    failed: int


Key = tuple[Contestant, Scenario]


class Figures(dict[Key, list[Measurement]]):
    """The measurements of each round."""

    def counted(self, key: Key) -> list[Measurement]:
        """Those without failures."""
        return [each for each in self[key] if not each.failed]

    def median(self, key: Key, name: str) -> float:
        """Of one column, over the rounds that count; not a number where there is none."""
        values = [getattr(each, name) for each in self.counted(key)]
        return median(values) if values else float("nan")


def measure(
    kind: str, copies: Copies, cores: Cores, rounds: int, seconds: int, note: Callable[[str], object]
) -> Figures:
    """Load everybody in turn, round after round, each time started anew on fresh data.

    Each round begins with another contestant, so that nobody always follows the same one.

    :param note: told what was measured.
    :raises WrongAnswer: a contestant does not answer as it must, or has lost what it said it had kept.
    """
    figures = Figures()
    order = contestants(kind)
    for round in range(rounds):
        turn = round % len(order)
        for contestant in order[turn:] + order[:turn]:
            for scenario, measurement in _turn(contestant, copies, cores, seconds):
                figures.setdefault((contestant, scenario), []).append(measurement)
                failures = f", {measurement.failed} FAILED" if measurement.failed else ""
                rate = f"{measurement.rate:,.0f}/s"
                note(f"{kind}, round {round + 1}: {contestant.name}, {scenario.title}: {rate}{failures}")
    return figures


def _turn(contestant: Contestant, copies: Copies, cores: Cores, seconds: int) -> Iterator[tuple[Scenario, Measurement]]:
    with copies.fresh(contestant.schema) as url:
        with running(contestant, url, cores) as server:
            created = check(contestant, server.port)
            for scenario in scenarios_for(contestant):
                answers, measurement = _load(server, scenario, seconds)
                created += answers if scenario is CREATE else 0
                yield scenario, measurement
        kept = count_items(url) - USERS * ITEMS_EACH
        if kept < created:
            raise WrongAnswer(f"{contestant.name}: {created} items were created, but {kept} are there")


def _load(server: Server, scenario: Scenario, seconds: int) -> tuple[int, Measurement]:
    """How many answers were no failures, warming up included; and what was measured after that."""
    warm = load(scenario, server.port, WARM_UP)
    server.settle()
    before = server.cpu_seconds()
    result = load(scenario, server.port, seconds)
    cpu = (server.cpu_seconds() - before) * 1e6 / max(result.answers, 1)
    server.settle()
    rate = result.answers / result.seconds
    measurement = Measurement(rate, result.p50, result.p99, cpu, server.memory(), warm.failed + result.failed)
    return warm.answers + result.answers - measurement.failed, measurement
