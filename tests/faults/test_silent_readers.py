"""Clients that ask for large answers and read nothing: memory stays bounded, and others are answered."""

import socket
import time
from contextlib import ExitStack, suppress
from threading import Event, Thread

import pytest
from httpx2 import Client

from tests.faults.conftest import Belongings, Figure
from tests.faults.raw import connect, resident
from tests.faults.service import Service

GROWTH = 128.0
"""MiB by which memory may grow meanwhile."""

PATHS = ["/items/", "/users/", "/users/1"]
"""Answers of up to 6 MB."""


def filled(service: Service) -> None:
    """A user with 100 items of 60 KB each."""
    items = [{"title": "Towel", "description": "\x01" * 10_000, "owner_id": 1}] * 10
    with Client(base_url=service.url) as client:
        client.post("/users/", json={"email": "a@example.com", "password": "correct horse"}).raise_for_status()
        for _ in range(10):
            client.post("/items/batch", json=items).raise_for_status()


def asked(service: Service, path: str) -> socket.socket:
    """A connection on which a request is answered and nothing is read."""
    connection = connect(service)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection


def watch(service: Service, end: Event, waits: list[float], sizes: list[float]) -> None:
    """How long each ``/health/live`` takes, and how much memory there is."""
    with Client(base_url=service.url, timeout=60) as client:
        while not end.wait(0.02):
            begun = time.perf_counter()
            client.get("/health/live").raise_for_status()
            waits.append(time.perf_counter() - begun)
            sizes.append(resident(service.process))


def statuses(service: Service, path: str, count: int) -> tuple[dict[bytes, int], float, float]:
    """How often each status is answered, for how long ``/health/live`` took, and how many MiB memory grew."""
    end, waits, sizes = Event(), list[float](), [resident(service.process)]
    watcher = Thread(target=watch, args=(service, end, waits, sizes))
    with ExitStack() as stack:
        watcher.start()
        connections = [stack.enter_context(asked(service, path)) for _ in range(count)]
        heads = [connection.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL)[-3:] for connection in connections]
        end.set()
        watcher.join()
    return {status: heads.count(status) for status in set(heads)}, max(waits), max(sizes) - sizes[0]


def test_what_silent_readers_do_not_take_is_bounded_and_refused_to_the_next(belongings: Belongings) -> None:
    service = belongings()
    filled(service)
    counts, _, grown = statuses(service, "/users/1", 30)
    assert counts.keys() == {b"200", b"503"}
    assert grown < GROWTH
    with Client(base_url=service.url) as client:
        assert client.get("/users/1").status_code == 200


def test_who_takes_an_answer_too_slowly_is_cut_off(belongings: Belongings) -> None:
    service = belongings(BELONGINGS_BODY_WAIT="0.5")
    filled(service)
    with asked(service, "/users/1") as connection:
        taken = 0
        with suppress(ConnectionError):
            while piece := connection.recv(100_000):
                taken += len(piece)
                time.sleep(0.1)
    assert 0 < taken < 6_000_000


@pytest.mark.long
@pytest.mark.parametrize("path", PATHS)
def test_400_silent_readers_of_large_answers_keep_nobody_waiting(
    belongings: Belongings, path: str, figure: Figure
) -> None:
    service = belongings()
    filled(service)
    counts, wait, grown = statuses(service, path, 400)
    figure(f"{path}: {counts}; {grown:+.0f} MiB; live within {wait:.2f} s")
    assert counts.keys() <= {b"200", b"503"}
    assert grown < GROWTH
    assert wait < 1
