"""A network that can be broken and mended: it stands between the service and its database's server."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from types import TracebackType
from typing import Self

from sqlalchemy import URL

_PORTS = {"postgresql": 5432, "mysql": 3306}

Cut = Callable[[StreamWriter], None]


@dataclass(eq=False)
class _Link:
    """A connection of the service, and the one that was made to the server for it."""

    writers: list[StreamWriter]
    lost: bool = False


class Proxy:
    """Forwards connections to a server, within the block. What is done to it lasts until it is healed.

    It has a thread of its own, so that whoever uses it may block.

    :param url: of the server.
    """

    def __init__(self, url: URL) -> None:
        self._server_url = url
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flow = asyncio.Event()
        self._flow.set()
        self._port = 0
        self._delay = 0.0
        self._silent = False
        self._cut: Cut | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """Of the server, by way of this."""
        return self._server_url.set(host="127.0.0.1", port=self._port).render_as_string(hide_password=False)

    def delay(self, seconds: float) -> None:
        """Every answer comes so much later."""
        self._delay = seconds

    def stall(self) -> None:
        """Nothing gets through, on connections that are there and on new ones. Healed, all of it does."""
        self._do(self._stall)

    def swallow(self) -> None:
        """Nothing gets through, and nobody learns of it. Connections of this time stay silent even after healing."""
        self._do(self._swallow)

    def drop(self) -> None:
        """All connections are closed, and new ones at once."""
        self._do(self._cut_all, StreamWriter.close)

    def reset(self) -> None:
        """All connections are reset, and new ones at once."""
        self._do(self._cut_all, _reset)

    def refuse(self) -> None:
        """All connections are reset, and new ones refused."""
        self._do(self._refuse)

    def heal(self) -> None:
        """Everything gets through."""
        self._do(self._heal)

    def _do(self, act: Callable[..., object], *arguments: object) -> None:
        async def run() -> None:
            done = act(*arguments)
            if asyncio.iscoroutine(done):
                await done

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=30)

    def _listen(self) -> None:
        """Not an asyncio.Server: closed in the moment in which it takes a connection, that one stays open for ever."""
        self._listening = socket.create_server(("127.0.0.1", self._port), backlog=1000)
        self._listening.setblocking(False)
        self._port = self._listening.getsockname()[1]
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        with suppress(OSError):  # gone again
            task = self._loop.create_task(self._serve(self._listening.accept()[0]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _stop_listening(self) -> None:
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _stall(self) -> None:
        self._flow.clear()

    def _swallow(self) -> None:
        self._silent = True
        for link in self._links:
            link.lost = True

    def _cut_all(self, cut: Cut) -> None:
        self._cut = cut
        for link in self._links:
            for writer in link.writers:
                cut(writer)

    def _refuse(self) -> None:
        self._stop_listening()
        self._cut_all(_reset)

    def _heal(self) -> None:
        self._cut, self._silent, self._delay = None, False, 0.0
        self._flow.set()
        if self._listening.fileno() < 0:
            self._listen()

    async def _end(self) -> None:
        self._stop_listening()
        self._cut_all(_reset)  # on which all tasks end
        self._delay = 0.0
        self._flow.set()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.sleep(0)  # in which the sockets are closed

    async def _serve(self, accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted)
        link = _Link([writer], lost=self._silent)
        self._links.add(link)
        try:
            await self._forward(reader, writer, link)
        except OSError:
            pass
        finally:
            self._links.discard(link)
            for each in link.writers:
                each.close()

    async def _forward(self, reader: StreamReader, writer: StreamWriter, link: _Link) -> None:
        if self._cut:
            self._cut(writer)
            return
        await self._flow.wait()
        upstream, out = await asyncio.open_connection(
            self._server_url.host, self._server_url.port or _PORTS[self._server_url.get_backend_name()]
        )
        link.writers.append(out)
        if self._cut:  # in the meantime
            return
        await asyncio.gather(self._pump(reader, out, link), self._pump(upstream, writer, link, answers=True))

    async def _pump(self, reader: StreamReader, writer: StreamWriter, link: _Link, *, answers: bool = False) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if answers and self._delay:
                    await asyncio.sleep(self._delay)
                await self._flow.wait()
                if not link.lost:
                    writer.write(data)
                    await writer.drain()
        if not link.lost:  # the other end need not know
            writer.close()


def _reset(writer: StreamWriter) -> None:
    with suppress(OSError):
        given = writer.get_extra_info("socket")
        given.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
