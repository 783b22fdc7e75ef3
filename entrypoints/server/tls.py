"""Connections with TLS, to which the same bounds apply from the moment they are accepted."""

from asyncio import BaseTransport, Protocol, Task, Transport
from contextlib import suppress
from socket import SHUT_RDWR, socket
from ssl import SSLContext
from typing import cast

from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl

from entrypoints.server.connections import Connection


class TlsConfig(Config):
    """Uvicorn's own, which by itself has the event loop do the handshake before there is a connection to count."""

    tls: SSLContext | None = None

    def load(self) -> None:
        super().load()
        self.tls, self.ssl = self.ssl, None


class TlsConnection(Connection):
    """A connection that begins with a handshake, which counts towards the time for the head of the first request."""

    _handshake: Task[None] | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Called twice: with what was accepted, and with what it becomes by the handshake."""
        if self._handshake:
            self.transport = cast(Transport, transport)
            self.flow = FlowControl(self.transport)
            self.scheme = "https"
            return
        super().connection_made(transport)
        if self.transport.is_closing():
            return  # there was no room for it
        try:
            accepted = transport.get_extra_info("socket").dup()  # uvloop goes on reading from the one that it has
        except OSError:
            self.transport.abort()
            return
        self.transport.set_protocol(Protocol())  # so that its end is not taken for that of the connection
        self.transport.abort()
        self.transport = _Handshake(accepted)
        self._handshake = self.loop.create_task(self._shake_hands(accepted))

    async def _shake_hands(self, accepted: socket) -> None:
        with suppress(OSError):  # the client is gone, is too slow, or does not speak TLS
            await self.loop.connect_accepted_socket(
                lambda: self,
                accepted,
                ssl=cast(TlsConfig, self.config).tls,
                ssl_handshake_timeout=self._bounds.head_wait,
                ssl_shutdown_timeout=self._bounds.body_wait,
            )
        if isinstance(self.transport, _Handshake):  # the event loop says so only if the handshake was complete
            accepted.close()
            self.connection_lost(None)


class _Handshake(Transport):
    """What a connection has for a transport until the handshake is complete."""

    def __init__(self, accepted: socket) -> None:
        super().__init__()
        self._accepted = accepted
        self._closing = False

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """End the connection, so that the handshake fails."""
        self._closing = True
        with suppress(OSError):  # it has
            self._accepted.shutdown(SHUT_RDWR)

    def abort(self) -> None:
        self.close()
