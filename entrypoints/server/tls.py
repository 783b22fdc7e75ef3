"""TLS connections, to which the same limits apply from the moment they are accepted."""

from asyncio import BaseTransport, Protocol, Task, Transport
from contextlib import suppress
from socket import SHUT_RDWR, socket
from ssl import SSLContext
from typing import Any, cast

from entrypoints.server.connections import Connection
from entrypoints.server.draining import DrainingConnection
from entrypoints.server.proxies import ProxyConfig

_SHUTDOWN_TIMEOUT = 2.0
"""Seconds for a client to confirm the end of the TLS session when the connection is closed."""


class TlsConfig(ProxyConfig):
    """A configuration that leaves the TLS handshake to ``TlsConnection``.

    With uvicorn's own, the event loop does the handshake before there is a connection that could be counted.
    """

    tls: SSLContext | None = None

    def load(self) -> None:
        super().load()
        self.tls, self.ssl = self.ssl, None


class TlsConnection(Connection):
    """A connection that starts with a TLS handshake, which must be complete within ``head_wait``."""

    _handshake: Task[None] | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Called twice: with the accepted transport, and with the TLS transport after the handshake."""
        if self._handshake:
            DrainingConnection.connection_made(self, cast(Any, transport))
            return
        super().connection_made(transport)
        if self.transport.is_closing():
            return  # there were too many connections
        try:
            accepted = transport.get_extra_info("socket").dup()  # uvloop keeps reading from the original
        except OSError:
            self.transport.abort()
            return
        self.transport.set_protocol(Protocol())  # so that connection_lost is not called when the original is closed
        self.transport.abort()
        self.transport = _HandshakeTransport(accepted)
        self._handshake = self.loop.create_task(self._shake_hands(accepted))

    async def _shake_hands(self, accepted: socket) -> None:
        with suppress(OSError):  # the client has disconnected, is too slow, or does not speak TLS
            await self.loop.connect_accepted_socket(
                lambda: self,
                accepted,
                ssl=cast(TlsConfig, self.config).tls,
                ssl_handshake_timeout=self._limits.head_wait,
                ssl_shutdown_timeout=_SHUTDOWN_TIMEOUT,
            )
        if isinstance(self.transport, _HandshakeTransport):  # the handshake failed
            accepted.close()
            self.connection_lost(None)  # which the event loop calls only after a complete handshake


class _HandshakeTransport(Transport):
    """The transport of a connection during its handshake: it can only be closed."""

    def __init__(self, accepted: socket) -> None:
        super().__init__()
        self._accepted = accepted
        self._closing = False

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Shut the socket down, so that the handshake fails."""
        self._closing = True
        with suppress(OSError):  # the client has disconnected
            self._accepted.shutdown(SHUT_RDWR)

    def abort(self) -> None:
        self.close()
