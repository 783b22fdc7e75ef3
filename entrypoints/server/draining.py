"""Draining: how the service takes leave of clients that keep their connections."""

from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LAST_CALL = 1.0
"""Seconds in which a client that is between two requests may send another one."""


class DrainingConnection(HttpToolsProtocol):
    """Uvicorn's own, which by itself closes a connection at once where it is between two requests.

    What the client has sent by then, or sends before it sees that, is lost; and clients that never pause
    are nearly always there. So this one answers once more, and says ``Connection: close`` with it.
    """

    _ending: ClassVar[bool] = False
    """Of the process: connections that are made after all others were told begin with it."""

    def shutdown(self) -> None:
        DrainingConnection._ending = True
        cycle: Any = self.cycle  # none before the first request
        if cycle is None or cycle.response_complete:
            self.loop.call_later(_LAST_CALL, super().shutdown)
        else:
            super().shutdown()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._ending:
            self.cycle.keep_alive = False
