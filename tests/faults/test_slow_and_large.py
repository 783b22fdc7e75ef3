"""Clients that send too slowly or too much: they are cut off, and others do not notice."""

import json
import sqlite3
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from itertools import repeat
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unicodedata import combining

import pytest
from httpx2 import Client

from tests.certificates import make_certificate
from tests.faults.conftest import Belongings, Figure
from tests.faults.latencies import percentile
from tests.faults.raw import ENDLESS, GET, POST, connect, resident, rest, say, send
from tests.faults.service import Service

SLOW = 500
"""Sockets that send a byte a second."""

GROWTH = 20.0
"""MiB by which memory may grow meanwhile."""

GIBIBYTES = 10

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits for its clients for half a second at most, and takes few of them."""
    settings: dict[str, Any] = dict.fromkeys(("BELONGINGS_HEAD_WAIT", "BELONGINGS_BODY_WAIT"), "0.5")
    with Service(
        tmp_path_factory.mktemp("impatient"), DATABASE_URL="memory://", BELONGINGS_CONNECTIONS="20", **settings
    ) as service:
        yield service


def problem(said: bytes) -> int:
    """The status of the one answer, which is a problem and the last thing that is said on its connection."""
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"\r\ncontent-type: application/problem+json" in head, said
    assert b"\r\nconnection: close" in head
    status = int(head.split()[1])
    content = json.loads(body)
    assert content["status"] == status
    assert f"\r\nx-request-id: {content['request_id']}\r\n".encode() in head
    return status


def test_who_connects_and_says_nothing_is_let_go_without_a_word(impatient: Service) -> None:
    assert say(impatient) == b""


def test_a_request_that_does_not_come_to_its_end_is_cut_off(impatient: Service) -> None:
    begun = [b"G", b"\r\n", GET[:-2], POST[:30]]
    begun += [POST + b"Content-Length: 10\r\n\r\n12345", POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n123"]
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(impatient)) for _ in begun]
        for connection, part in zip(connections, begun, strict=True):
            connection.sendall(part)
        assert [problem(rest(each)) for each in connections] == [408] * len(begun)


def test_a_byte_now_and_then_does_not_help(impatient: Service) -> None:
    for begun in (GET[:-2] + b"X: ", POST + b"Content-Length: 1000\r\n\r\n"):
        with connect(impatient) as connection:
            connection.sendall(begun)
            assert not send(connection, repeat(b"1", 300), pause=0.1)


def test_a_body_that_nobody_asked_for_is_not_waited_for(impatient: Service) -> None:
    asked = GET[:-2] + b"Content-Length: 10000000\r\n\r\n"
    said = say(impatient, asked)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said.endswith(b'{"status":"ok"}')
    with connect(impatient) as connection:
        connection.sendall(asked)
        assert not send(connection, repeat(b" " * 65_536, 152))


def test_a_header_without_an_end_is_cut_off(impatient: Service) -> None:
    for begun in (b"GET /", GET[:-2] + b"X: ", POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX: "):
        before = resident(impatient.process)
        with connect(impatient) as connection:
            connection.sendall(begun)
            assert not send(connection, repeat(b"x" * 65_536, 10_000))
        assert resident(impatient.process) - before < GROWTH
    for pieces in (1, 2):
        with connect(impatient) as connection:
            head = GET[:-2] + b"X: " + b"x" * 65_600 + b"\r\n\r\n"
            for n in range(pieces):
                connection.sendall(head[n * 1000 : (n + 1) * 1000 if pieces > n + 1 else None])
            assert problem(rest(connection)) == 431


def test_a_header_without_an_end_is_not_kept_behind_a_request_that_has_no_answer_yet(tmp_path: Path) -> None:
    with (
        Service(tmp_path) as service,
        closing(sqlite3.connect(tmp_path / "belongings.db", isolation_level=None)) as other,
        connect(service) as connection,
    ):
        assert b" 200 OK" in say(service, GET[:-2] + b"Connection: close\r\n\r\n")
        other.execute("BEGIN IMMEDIATE")
        before = resident(service.process)
        connection.sendall(POST + b'Content-Length: 18\r\n\r\n{"title": "Towel"}' + GET[:-2] + b"X: ")
        assert send(connection, repeat(b"x" * 65_536, 800))
        assert resident(service.process) - before < GROWTH
        other.execute("ROLLBACK")
        rest(connection)
        assert other.execute("SELECT title FROM items").fetchall() == [("Towel",)]


def test_a_body_without_an_end_is_cut_off(impatient: Service) -> None:
    before = resident(impatient.process)
    with connect(impatient) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        assert not send(connection, repeat(ENDLESS, 10_000))
    assert resident(impatient.process) - before < GROWTH


def test_requests_that_nobody_waits_for_the_answers_to_are_cut_off(impatient: Service) -> None:
    before = resident(impatient.process)
    said = say(impatient, GET * 20_000)
    assert 10 <= said.count(b"HTTP/1.1 200 OK") < 1_000
    assert resident(impatient.process) - before < GROWTH


def test_who_says_nothing_makes_room_for_others(impatient: Service) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(connect(impatient)) for _ in range(40)]
        with Client(base_url=impatient.url) as client:
            assert client.get("/health/live").status_code == 200
        assert [rest(each) for each in silent[:20]] == [b""] * 20


def test_sockets_that_begin_no_handshake_keep_no_client_out_and_no_files_open(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = {"BELONGINGS_TLS_CERTIFICATE": str(certificate), "BELONGINGS_TLS_KEY": str(key)}
    with (
        Service(tmp_path, DATABASE_URL="memory://", BELONGINGS_CONNECTIONS="20", **tls) as service,
        Client(base_url=service.url, verify=ssl.create_default_context(cafile=certificate)) as client,
        ExitStack() as stack,
    ):
        once = {"Connection": "close"}
        assert client.get("/health/live", headers=once).status_code == 200
        idle = service.process.num_fds()
        for _ in range(200):
            stack.enter_context(connect(service))
        assert client.get("/health/live", headers=once).status_code == 200
        assert service.process.num_fds() <= idle + 25


def test_an_answer_that_nobody_takes_is_thrown_away(impatient: Service) -> None:
    with Client(base_url=impatient.url) as client:
        text = "\x01" * 10_000  # six bytes each, as JSON
        for _ in range(5):
            client.post("/items/batch", json=[{"title": "t", "description": text}] * 15).raise_for_status()
        assert len(client.get("/items/").content) > 4_000_000
    with connect(impatient) as connection:
        with suppress(TimeoutError):
            connection.settimeout(0.1)
            connection.sendall(b"GET /items/ HTTP/1.1\r\nHost: belongings\r\n\r\n" * 11)
        time.sleep(1)
        connection.settimeout(60)
        assert len(rest(connection)) < 25_000_000


_MARKS = sorted(filter(combining, map(chr, range(0x20000))), key=combining, reverse=True)
_LONG_RUN = "".join(_MARKS[n * len(_MARKS) // 10_000] for n in range(10_000))
"""In the order that takes longest to sort."""


def test_texts_that_are_slow_to_normalize_keep_nobody_waiting(belongings: Belongings, figure: Figure) -> None:
    service = belongings()
    item = json.dumps({"title": "t", "description": _LONG_RUN}, ensure_ascii=False).encode()
    batch = b"[" + b",".join([item] * ((MEBIBYTE - 2) // (len(item) + 1))) + b"]"
    with Client(base_url=service.url, timeout=60) as client, ThreadPoolExecutor(4) as attackers:
        client.post("/items/", json={"title": "Towel"}).raise_for_status()
        headers = {"Content-Type": "application/json"}
        sent = [attackers.submit(client.post, "/items/batch", content=batch, headers=headers) for _ in range(4)]
        longest = {"/health/live": 0.0, "/items/1": 0.0}
        while not all(each.done() for each in sent):
            for path, so_far in longest.items():
                begun = time.perf_counter()
                client.get(path).raise_for_status()
                longest[path] = max(so_far, time.perf_counter() - begun)
    figure(", ".join(f"{path} {seconds * 1000:.0f} ms at most" for path, seconds in longest.items()))
    assert [each.result().status_code for each in sent] == [422] * 4
    assert longest["/health/live"] < 1
    assert longest["/items/1"] < 2


@pytest.mark.long
def test_500_slow_senders_and_a_body_of_10_gib_slow_nobody_down(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with Service(tmp_path, DATABASE_URL="sqlite:///belongings.db") as service, Client(base_url=service.url) as client:
        client.post("/users/", json={"email": "a@example.com", "password": "correct horse"}).raise_for_status()
        reads(client, 2_000)
        idle = resident(service.process)
        rounds = []
        for _ in range(3):
            alone = percentile(reads(client, 4_000), 99)
            end = Event()
            attackers = [Thread(target=trickle, args=(service, end)), Thread(target=pour, args=(service, end))]
            for thread in attackers:
                thread.start()
            time.sleep(2)
            beside = percentile(reads(client, 4_000), 99)
            grown = resident(service.process) - idle
            end.set()
            for thread in attackers:
                thread.join()
            rounds.append((beside / alone, alone, beside, grown))
    for ratio, alone, beside, grown in rounds:
        record_property(
            "figure", f"p99 {alone * 1000:.2f} ms alone, {beside * 1000:.2f} ms beside: × {ratio:.2f}; {grown:+.1f} MiB"
        )
    assert sorted(rounds)[1][0] <= 2
    assert max(grown for *_, grown in rounds) < GROWTH


def reads(client: Client, count: int) -> list[float]:
    """How long each read took, in seconds."""
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        client.get("/users/1").raise_for_status()
        taken.append(time.perf_counter() - begun)
    return taken


def trickle(service: Service, end: Event) -> None:
    """Half of the sockets within the header, half within the body; each is replaced when it is cut off."""
    beginnings = (GET[:-2] + b"X: ", POST + b"Content-Length: 1000000\r\n\r\n")
    with ExitStack() as stack:
        open = {}
        while not end.wait(0.2):
            for n in range(SLOW):
                if n not in open:
                    open[n] = stack.enter_context(connect(service))
                    open[n].sendall(beginnings[n % 2])
                elif n % 5 == int(time.monotonic() * 5) % 5:
                    try:
                        open[n].sendall(b"1")
                    except OSError:
                        open.pop(n).close()


def pour(service: Service, end: Event) -> None:
    """A body of 10 GiB, in pieces, again and again; how much of it is taken is for the service to say."""
    while not end.wait(0.05):
        with connect(service) as connection:
            connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
            send(connection, repeat(ENDLESS, GIBIBYTES * 2**30 // 65_536))
