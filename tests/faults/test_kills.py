"""What was acknowledged is kept, and nothing is there twice, whoever is killed while clients write."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from time import sleep

import pytest

from adapters.sql.engine.engines import parse_url
from adapters.sql.operations.migrations import migrate
from tests.faults.conftest import Belongings, Figure
from tests.faults.ledger import NOTHING_WRONG, compare, unsound
from tests.faults.service import Service
from tests.faults.writers import Writers
from tests.own_servers import OwnServer

Fault = Callable[[], object]


def write_through(
    service: Service, url: str, faults: Sequence[Fault], *, writes: int, kills: int, seed: int, figure: Figure
) -> None:
    """Let clients write until enough was acknowledged, with faults at moments that chance picks; then count."""
    random = Random(seed)
    each = writes // kills
    with Writers(lambda: service.url, clients=8, seed=seed) as writers:
        for n in range(kills):
            writers.wait_for(n * each + random.randrange(each))
            sleep(random.uniform(0, 0.02))
            faults[n % len(faults)]() if kills <= len(faults) else random.choice(faults)()
        writers.wait_for(writes)
    service.kill()
    found = compare(url, writers.promises)
    figure(
        f"{writers.acknowledged:,} acknowledged, {kills} kills, {found.lost} lost, {found.doubled} twice"
        f" ({len(writers.answers):,} requests: {dict(writers.statuses)}; seed {seed})"
    )
    assert found == NOTHING_WRONG, (seed, writers.statuses)
    assert unsound(url) == []
    assert set(writers.statuses) <= {200, 409, 503, None}, (seed, writers.statuses)


@pytest.mark.parametrize(("writes", "kills"), [(100, 2), pytest.param(10_000, 50, marks=pytest.mark.long)])
def test_nothing_acknowledged_is_lost_or_there_twice_when_the_service_is_killed_on_sqlite(
    belongings: Belongings, tmp_path: Path, figure: Figure, writes: int, kills: int
) -> None:
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    service = belongings(DATABASE_URL=url)

    def kill_service() -> None:
        service.kill()
        service.start()

    write_through(service, url, [kill_service], writes=writes, kills=kills, seed=1, figure=figure)


@pytest.mark.parametrize("own_server", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize(
    ("writes", "kills", "workers"), [(100, 2, 1), pytest.param(10_000, 50, 2, marks=pytest.mark.long)]
)
def test_nothing_acknowledged_is_lost_or_there_twice_when_worker_service_or_server_is_killed(
    belongings: Belongings,
    own_server: OwnServer,
    own_database: str,
    figure: Figure,
    writes: int,
    kills: int,
    workers: int,
) -> None:
    migrate(parse_url(own_database))
    service = belongings("--workers", str(workers), DATABASE_URL=own_database)

    def kill_service() -> None:
        service.kill()
        service.start()

    def kill_server() -> None:
        own_server.kill()
        own_server.start()

    def stop_server_immediately() -> None:
        own_server.stop_immediately()
        own_server.start()

    faults = [kill_server, kill_service, service.kill_worker, stop_server_immediately]
    write_through(service, own_database, faults, writes=writes, kills=kills, seed=1, figure=figure)
