"""Clients that keep their connections and send one request after the other, as long as they are answered."""

import asyncio
import json
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from uuid import uuid4


@dataclass
class Load:
    """What many clients at once have seen, half of whose requests write.

    :param reconnect: whether a client whose connection has ended makes another one.
    :param pause: seconds after each answer, for machines that do other things too.
    :ivar answers: how often each status was answered.
    :ivar kept: titles of items that were acknowledged.
    :ivar unanswered: titles of items that were sent, and neither acknowledged nor refused.
    :ivar cut: how many requests were lost with a connection on which others had been answered before.
    :ivar refused: how many connections were not accepted, or ended before anything was answered on them.
    """

    url: str
    clients: int = 16
    reconnect: bool = False
    pause: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)
    kept: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    cut: int = 0
    refused: int = 0

    async def __aenter__(self) -> Self:
        self._numbers = count()
        self._name = uuid4().hex
        self._ends = False
        self._tasks = [asyncio.create_task(self._run()) for _ in range(self.clients)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends = True
        await asyncio.gather(*self._tasks)

    async def more(self, answers: int) -> None:
        """Return when so many more requests have been answered."""
        enough = self.answers.total() + answers
        while self.answers.total() < enough and not all(task.done() for task in self._tasks):
            await asyncio.sleep(0.002)

    async def _run(self) -> None:
        await self._connect()
        while self.reconnect and not self._ends:
            await self._connect()

    async def _connect(self) -> None:
        """Send requests over one connection until it ends."""
        address = urlsplit(self.url)
        used = False
        try:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            with closing(writer):
                while not self._ends and await self._ask(reader, writer):
                    used = True
                    await asyncio.sleep(self.pause)
        except (OSError, asyncio.IncompleteReadError):
            if used:
                self.cut += 1
            else:
                self.refused += 1
                await asyncio.sleep(0.02)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on after the answer."""
        number = next(self._numbers)
        title = f"{self._name} {number}" if number % 2 else None
        if title:
            self.unanswered.add(title)
            body = json.dumps({"title": title}).encode()
            kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"POST /items/ HTTP/1.1\r\nHost: a\r\n{kind}\r\n".encode() + body)
        else:
            writer.write(b"GET /items/?limit=5 HTTP/1.1\r\nHost: a\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        status = int(head.split()[1])
        self.answers[status] += 1
        if title:
            self.unanswered.discard(title)
            if status == 200:
                self.kept.add(title)
        return b"connection: close" not in head
