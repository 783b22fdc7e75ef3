"""A load made in Python, for where there is no wrk: plain sockets that are kept alive."""

import asyncio
from collections.abc import Iterator
from itertools import cycle
from time import perf_counter

from benchmarks.scenarios import Scenario

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"


class _Client(asyncio.Protocol):
    """Sends, waits for all of the answer, notes how long it took, and sends again."""

    def __init__(self, requests: Iterator[bytes], deadline: float) -> None:
        self.latencies: list[float] = []
        self.failed = 0
        self.closed = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._deadline = deadline
        self._received = b""
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._received, self._missing = b"", 0
        self._sent = perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._received += data
            head, end, body = self._received.partition(_END_OF_HEAD)
            if not end:
                return
            self._missing = _content_length(head) - len(body)
        if not self._missing:
            self._answered()

    def _answered(self) -> None:
        now = perf_counter()
        self.latencies.append(now - self._sent)
        self.failed += not self._received.startswith(b"HTTP/1.1 2")
        if now < self._deadline:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.failed += perf_counter() < self._deadline
        self.closed.set_result(None)


def _content_length(head: bytes) -> int:
    _, _, behind = head.lower().partition(_LENGTH)
    return int(behind.partition(b"\r")[0])


def exchange(scenario: Scenario, port: int, connections: int, seconds: float) -> tuple[list[float], float, int]:
    """The latencies of all answers, in seconds; how long it took in all; how many failed."""
    return asyncio.run(_exchange(scenario, port, connections, seconds))


async def _exchange(scenario: Scenario, port: int, connections: int, seconds: float) -> tuple[list[float], float, int]:
    requests = cycle([scenario.request(id) for id in range(scenario.first, scenario.last + 1)])
    loop = asyncio.get_running_loop()
    started = perf_counter()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: _Client(requests, started + seconds), "127.0.0.1", port)
        clients.append(client)
    await asyncio.gather(*(client.closed for client in clients))
    latencies = [latency for client in clients for latency in client.latencies]
    return latencies, perf_counter() - started, sum(client.failed for client in clients)
