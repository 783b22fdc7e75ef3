"""A hundred clients that search a million items do not slow down reads of one item."""

import asyncio
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from adapters.sql.engine.engines import parse_url
from benchmarks.rows import ITEMS_EACH, fill
from tests.conftest import Databases
from tests.databases import SQL
from tests.faults.conftest import Belongings, Figure
from tests.faults.latencies import percentile

ITEMS = 1_000_000
SEARCHERS = 100
READERS = 4
SECONDS = 15.0
PAUSE = 0.01
"""Between the reads of one reader."""

SEARCHES = [b"GET /items/?q=zebra", b"GET /items/?sort=price&skip=900000"]
COUNTED = b"Prefer: count=exact\r\n"


@dataclass
class Answers:
    """To one kind of request: how often each status was answered, and how many seconds each took."""

    statuses: Counter[int] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)


async def ask(url: str, line: bytes, headers: bytes, until: float, pause: float, seen: Answers) -> None:
    """Send one request after the other on one connection."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    with closing(writer):
        while time.monotonic() < until:
            asked = time.monotonic()
            writer.write(line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + b"\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            seen.took.append(time.monotonic() - asked)
            seen.statuses[int(head.split()[1])] += 1
            assert b" 503 " not in head.partition(b"\r\n")[0] or b"\r\nretry-after: " in head
            await asyncio.sleep(pause)


async def ask_all(url: str, searchers: int, seconds: float) -> tuple[Answers, Answers, Answers]:
    """What came of the reads, of ``/health/ready`` and of the searches."""
    reads, ready, searches = Answers(), Answers(), Answers()
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(READERS):
            group.create_task(ask(url, b"GET /items/5", b"", until, PAUSE, reads))
        group.create_task(ask(url, b"GET /health/ready", b"", until, PAUSE, ready))
        for n in range(searchers):
            group.create_task(ask(url, SEARCHES[n % 2], COUNTED * (n % 2), until, 0, searches))
    return reads, ready, searches


@pytest.mark.long
@pytest.mark.parametrize("kind", SQL)
def test_a_hundred_clients_that_search_do_not_keep_one_item_from_being_read(
    kind: str, databases: Databases, belongings: Belongings, figure: Figure
) -> None:
    url = databases.empty(kind)
    fill(parse_url(url), "service", ITEMS // ITEMS_EACH)
    service = belongings(DATABASE_URL=url)
    alone, _, _ = asyncio.run(ask_all(service.url, 0, 3.0))
    reads, ready, searches = asyncio.run(ask_all(service.url, SEARCHERS, SECONDS))
    before, beside = (1000 * percentile(each.took, 99) for each in (alone, reads))
    figure(
        f"p99 of reads {before:.1f} ms alone, {beside:.1f} ms beside (of {len(reads.took):,}, slowest "
        f"{1000 * max(reads.took):.0f} ms); searches {dict(searches.statuses)}"
    )
    assert set(reads.statuses) == set(ready.statuses) == {200}
    assert searches.statuses[200]
    assert set(searches.statuses) <= {200, 503}
    assert beside < 100
