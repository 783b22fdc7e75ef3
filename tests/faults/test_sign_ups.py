"""A hundred sign-ups at once: each takes a processor and 19 MiB for a while, and neither fill memory nor slow reads."""

import json
import select
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from httpx2 import Client

from benchmarks.load import load
from benchmarks.scenarios import ITEMS
from entrypoints.settings import processors
from tests.faults.latencies import percentile
from tests.faults.raw import JSON, connect, resident
from tests.faults.service import Service

PARALLEL = 100
HASH = 19
"""MiB that a password takes while it is hashed."""

SECONDS = 6

ROOM = 60
"""MiB that all the rest may take."""

Figure = Callable[[object], None]


class SignUps:
    """So many clients that sign up at once, each on a connection of its own; one may do other things meanwhile."""

    def __init__(self, service: Service, stack: ExitStack) -> None:
        self.statuses: Counter[int] = Counter()
        self._waiting = {stack.enter_context(connect(service)) for _ in range(PARALLEL)}
        for n, each in enumerate(self._waiting):
            body = json.dumps({"email": f"{time.time_ns()}-{n}@example.com", "password": "correct horse"})
            head = b"POST /users/ HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (JSON, len(body))
            each.sendall(head + body.encode())

    def are_answered(self) -> bool:
        """Take the answers that are there; whether all are."""
        for each in select.select(self._waiting, [], [], 0)[0]:
            self.statuses[int(each.recv(65_536).split()[1])] += 1
            self._waiting.remove(each)
        return not self._waiting


def read(client: Client) -> float:
    """Seconds for one read."""
    begun = time.perf_counter()
    client.get("/items/").raise_for_status()
    return time.perf_counter() - begun


def reads_beside(service: Service, client: Client, waves: int) -> tuple[list[float], Counter[int], float]:
    """How long reads took meanwhile, what became of the sign-ups, and the most memory that was taken."""
    taken, statuses, memory = [], Counter[int](), 0.0
    for _ in range(waves):
        with ExitStack() as stack:
            sign_ups = SignUps(service, stack)
            while not sign_ups.are_answered():
                taken.append(read(client))
                memory = max(memory, resident(service.process))
        statuses += sign_ups.statuses
    return taken, statuses, memory


def test_a_hundred_at_once_do_not_fill_memory(tmp_path: Path) -> None:
    with Service(tmp_path) as service, Client(base_url=service.url, timeout=60) as client:
        read(client)
        idle = resident(service.process)
        taken, statuses, memory = reads_beside(service, client, 1)
    assert taken
    assert sum(statuses.values()) == PARALLEL
    assert set(statuses) <= {200, 503}
    assert statuses[200]
    assert memory - idle < processors() * HASH + ROOM


@pytest.mark.long
def test_a_hundred_at_once_do_not_slow_reads(tmp_path: Path, figure: Figure) -> None:
    """Reads of sixteen clients that never pause; those of a single one, which else waits for nobody, are only noted."""
    ratios = []
    with Service(tmp_path) as service, Client(base_url=service.url, timeout=60) as client:
        port = urlsplit(service.url).port
        assert port
        load(ITEMS, port, 2)
        idle = resident(service.process)
        for _ in range(5):
            alone = load(ITEMS, port, SECONDS).p99
            statuses, memory = Counter[int](), 0.0
            with ThreadPoolExecutor(1) as thread:
                reading = thread.submit(load, ITEMS, port, SECONDS)
                while not reading.done():
                    with ExitStack() as stack:
                        sign_ups = SignUps(service, stack)
                        while not sign_ups.are_answered():
                            memory = max(memory, resident(service.process))
                            time.sleep(0.02)
                    statuses += sign_ups.statuses
            beside = reading.result().p99
            ratios.append(beside / alone)
            single = percentile([read(client) for _ in range(2_000)], 99)
            taken, more, _ = reads_beside(service, client, 3)
            figure(
                f"p99 of reads {alone:.1f} ms alone, {beside:.1f} ms beside (× {ratios[-1]:.2f}); of a single client "
                f"{single * 1000:.1f} and {percentile(taken, 99) * 1000:.1f} ms; sign-ups {dict(statuses + more)}; "
                f"{memory - idle:+.0f} MiB"
            )
            assert set(statuses) <= {200, 503}
            assert memory - idle < processors() * HASH + ROOM
    assert sorted(ratios)[2] <= 3
