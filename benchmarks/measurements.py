"""Rounds in which all contestants take turns, and the medians over them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.contestants import Contestant, contestants
from benchmarks.data import Copies, count_items
from benchmarks.load import load, load_beside_writer, warm_up
from benchmarks.medians import middle, ratio
from benchmarks.rows import ITEMS_EACH, USERS
from benchmarks.scenarios import CREATE, Scenario, WrongAnswer, check, scenarios_for
from benchmarks.servers import Cores, Server, running


@dataclass(frozen=True, slots=True)
class Measurement:
    """One load: answers a second, milliseconds, µs of the server's processor time an answer, MiB, failures.

    :param written: items a second that a further client created meanwhile; their share of ``cpu`` is in it.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    memory: float
    failed: int
    written: float


Key = tuple[Contestant, Scenario]


class Figures(dict[Key, list[Measurement]]):
    """The measurements of each round."""

    def counted(self, key: Key) -> list[Measurement]:
        """Those without failures."""
        return [each for each in self[key] if not each.failed]

    def median(self, key: Key, name: str) -> float:
        """Of one column, over the rounds that count; not a number where there is none."""
        return middle(getattr(each, name) for each in self.counted(key))


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
                writer = f" beside {measurement.written:,.0f} new items/s" if scenario.beside_writer else ""
                rate = f"{measurement.rate:,.0f}/s"
                note(f"{kind}, round {round + 1}: {contestant.name}, {scenario.title}{writer}: {rate}{failures}")
    return figures


def _turn(contestant: Contestant, copies: Copies, cores: Cores, seconds: int) -> Iterator[tuple[Scenario, Measurement]]:
    with copies.fresh(contestant.schema) as url:
        with running(contestant, url, cores) as server:
            created = check(contestant, server.port)
            for scenario in scenarios_for(contestant):
                more, measurement = _load(server, scenario, seconds)
                created += more
                yield scenario, measurement
        kept = count_items(url) - USERS * ITEMS_EACH
        if kept < created:
            raise WrongAnswer(f"{contestant.name}: {created} items were created, but {kept} are there")


def _load(server: Server, scenario: Scenario, seconds: int) -> tuple[int, Measurement]:
    """How many items were created at least, and what was measured."""
    seconds = max(seconds, scenario.least_seconds)
    warm = warm_up(scenario, server.port)
    before = server.cpu_seconds()
    if scenario.beside_writer:
        result, writer = load_beside_writer(scenario, server.port, seconds)
        others = [writer]
    else:
        result, others = load(scenario, server.port, seconds), []
    cpu = ratio((server.cpu_seconds() - before) * 1e6, result.answers)
    server.settle()
    failed = sum(each.failed for each in (warm, result, *others))
    creating = [warm, result] if scenario is CREATE else others
    created = sum(each.answers - each.failed for each in creating)
    written = sum(each.rate for each in others)
    return created, Measurement(result.rate, result.p50, result.p99, cpu, server.memory(), failed, written)
