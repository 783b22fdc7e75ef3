"""Draining: a shutdown that loses no request of a client with a keep-alive connection."""

from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_GRACE_PERIOD = 1.0
"""Seconds after the signal in which an idle client may still send a request."""


class DrainingConnection(HttpToolsProtocol):
    """A connection that answers one more request after a shutdown has begun, with ``Connection: close``.

    Uvicorn closes idle connections at once. A request that the client has just sent is then lost, and clients that
    send requests without a pause nearly always have just sent one.
    """

    _draining: ClassVar[bool] = False
    """Whether this process is shutting down. It also holds for connections that are accepted later."""

    def shutdown(self) -> None:
        DrainingConnection._draining = True
        cycle: Any = self.cycle  # None before the first request
        if cycle is None or cycle.response_complete:
            self.loop.call_later(_GRACE_PERIOD, self.close_when_idle)
        else:
            self.close_when_idle()

    def close_when_idle(self) -> None:
        """Close the connection now if it is idle, or else after the response."""
        super().shutdown()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._draining:
            self.cycle.keep_alive = False
