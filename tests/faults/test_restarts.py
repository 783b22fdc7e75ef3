"""A server that ends at once and comes back: what its clients are answered, and that nothing is lost."""

from random import Random
from time import monotonic, sleep

import pytest

from adapters.sql.engine.engines import parse_url
from adapters.sql.operations.migrations import migrate
from tests.faults.conftest import Belongings, Figure
from tests.faults.ledger import NOTHING_WRONG, compare, unsound
from tests.faults.writers import Writers
from tests.own_servers import OwnServer

SEED = 1
CLIENTS = 16
RECOVERED = 2.0
"""Seconds after which every answer is a success again."""


@pytest.mark.parametrize("own_server", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("restarts", [1, pytest.param(20, marks=pytest.mark.long)])
def test_while_the_server_restarts_there_are_only_503s_and_soon_after_only_successes(
    belongings: Belongings, own_server: OwnServer, own_database: str, figure: Figure, restarts: int
) -> None:
    """Nobody signs up meanwhile: on a busy machine passwords alone take longer than that."""
    migrate(parse_url(own_database))
    service = belongings(DATABASE_URL=own_database)
    random = Random(SEED)
    away: list[tuple[float, float]] = []
    with Writers(lambda: service.url, clients=CLIENTS, seed=SEED, users=False) as writers:
        for _ in range(restarts):
            writers.wait_for(writers.acknowledged + 10 * CLIENTS)
            sleep(random.uniform(0, 0.1))
            gone = monotonic()
            own_server.stop_immediately()
            sleep(random.uniform(0.1, 1.0))
            own_server.start()
            away.append((gone, monotonic()))
        writers.wait_for(writers.acknowledged + 10 * CLIENTS)
    assert service.stop() in (0, -15), service.log.read_text()[-2000:]
    answers = writers.answers
    first = [
        min(answer.at for answer in answers if answer.status == 200 and answer.at > back) - back for _, back in away
    ]
    last = [
        max([0, *(answer.at - back for answer in answers if answer.status != 200 and gone < answer.at < until)])
        for (gone, back), until in zip(away, [*(gone for gone, _ in away[1:]), monotonic()], strict=True)
    ]
    found = compare(own_database, writers.promises)
    figure(
        f"{restarts} restarts: {dict(writers.statuses)}; first 2xx at most {max(first):.2f} s, last 503 at most"
        f" {max(last):.2f} s after it was back; {found.lost} lost, {found.doubled} twice of {writers.acknowledged:,}"
    )
    assert set(writers.statuses) == {200, 503}
    assert max(first) < RECOVERED
    assert max(last) < RECOVERED
    assert found == NOTHING_WRONG
    assert unsound(own_database) == []
