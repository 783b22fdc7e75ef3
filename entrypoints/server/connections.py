"""Connections that wait for their clients only so long, and keep only so much of what comes."""

import re
from asyncio import BaseTransport, TimerHandle
from dataclasses import dataclass
from time import sleep
from typing import Any, cast

from httptools import parse_url
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from entrypoints.api.http.problems import problem
from entrypoints.api.middleware.request_context import NOTHING_KNOWN, headers_for, new_id
from entrypoints.api.middleware.request_limits import TOO_SLOW
from entrypoints.logging import Access, AccessLog
from entrypoints.server.draining import DrainingConnection
from entrypoints.server.parser import Parser

HEAD_LIMIT = 64 * 1024
"""Bytes of a request that are not its body: the line it begins with, its header, its trailer."""

_TOO_LARGE = f"The header is larger than {HEAD_LIMIT // 1024} KiB"
_NO_HTTP = "This is no HTTP request"
_ONE_HOST = "There should be one Host header"
_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
"""The signs of a host and a port (RFC 9112 §3.2, RFC 3986 §3.2.2), which are none of a path or a user."""

PIPELINE_LIMIT = 100
"""Requests that a client sends before it has the answer to the first; what is sent on top is not answered."""

_ACCEPT_PAUSE = 1e-6
"""Seconds for other workers to take the next connection, of which the system makes some 60 µs. Without it one that is
awake takes all that come at once, and those that keep their connections make it work alone from then on."""

UNREAD_LIMIT = 1024 * 1024
"""Bytes of a body that nobody asked for, such as that of a GET; they are thrown away."""


def _with_path(url: bytes) -> bytes:
    """A URL that may have none, such as ``http://host?q=1``, which means ``/`` (RFC 9110 §4.2.3)."""
    parsed = parse_url(url)
    return url if parsed.path else b"/?" + parsed.query if parsed.query else b"/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What clients may take.

    :param head_wait: seconds for a client to send a request up to its body.
    :param body_wait: seconds for it to send the body, or to take an answer.
    :param connections: how many there may be at once.
    :param workers: how many processes take connections from the same socket.
    """

    head_wait: float
    body_wait: float
    connections: int
    workers: int = 1


class Connection(DrainingConnection):
    """Uvicorn's own, which by itself waits for ever, and keeps whatever header is sent.

    When there are too many connections, a new one takes the place of the one whose last whole request is
    longest ago, of all that wait for their clients. So clients that send nothing keep nobody out.
    """

    def __init__(self, *args: Any, bounds: Bounds, log: AccessLog | None = None, **named: Any) -> None:
        super().__init__(*args, **named)
        self.parser: Parser = Parser(self)
        self._bounds = bounds
        self._log = log
        self._timer: TimerHandle | None = None
        self._writing: TimerHandle | None = None
        self._in_body = False
        self._wrong = 400, _NO_HTTP  # with what cannot be read
        self._refused = False  # behind an answer that is still to come; what else comes is thrown away
        self._whole = False  # whether a request has been received to its end, and nothing of another
        self._unused = 0  # bytes since the last piece of a body, or the last request
        self._body = 0
        self._since = 0.0

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast(Any, transport))
        if self._bounds.workers > 1:
            sleep(_ACCEPT_PAUSE)
        self._since = self.loop.time()
        if len(self.connections) > self._bounds.connections:
            self._make_room()
        self._arm(self._bounds.head_wait)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._writing:
            self._writing.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._whole = False
        self._unused += len(data)
        super().data_received(data)
        if self._whole or self.transport.is_closing():
            return
        if self._unused > HEAD_LIMIT:
            self._refuse(431, _TOO_LARGE)
        elif self._timer is None:
            self._arm(self._bounds.body_wait if self._in_body else self._bounds.head_wait)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # or it is a trailer, which says nothing of the request (RFC 9110 §6.5.1)
            super().on_header(name, value.rstrip(b" \t"))  # which the parser leaves there (RFC 9110 §5.5)

    def on_headers_complete(self) -> None:
        if self.parser.starts_over:
            return
        if self._timer:
            self._disarm()
        if len(self.url) + sum([len(name) + len(value) for name, value in self.headers]) > HEAD_LIMIT:
            self._wrong = 431, _TOO_LARGE  # and came in one piece
            raise ValueError(_TOO_LARGE)
        hosts = [value for name, value in self.headers if name == b"host"]
        one = len(hosts) == 1 and _HOST.fullmatch(hosts[0])
        if not one and (hosts or self.parser.get_http_version() != "1.0"):
            self._wrong = 400, _ONE_HOST
            raise ValueError(_ONE_HOST)
        self._in_body = True
        self._body = 0
        self._unused = 0
        if not self.url.startswith(b"/"):
            self.url = _with_path(self.url)
        if len(self.pipeline) >= PIPELINE_LIMIT:
            raise ValueError("too many requests at once")  # which ends the connection, as what cannot be read does
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        super().on_body(body)
        if self.cycle.response_complete:
            self._body += len(body)
            if self._body > UNREAD_LIMIT:
                self.transport.abort()

    def on_message_complete(self) -> None:
        if self.parser.starts_over:
            return
        if self._timer:
            self._disarm()
        self._in_body = False
        self._whole = True
        self._unused = 0
        self._since = self.loop.time()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self.loop.call_later(self._bounds.body_wait, self.transport.abort)

    def resume_writing(self) -> None:
        if self._writing:
            self._writing.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(*self._wrong)

    def _unsupported_upgrade_warning(self) -> None:
        """After a CONNECT, which is answered like any other request: what follows it need not be HTTP, so ignore it."""
        self.cycle.keep_alive = False
        self._refused = True

    def _arm(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._unused or self._in_body:
            self._refuse(408, TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer and close, but never into another answer, nor after the one that is refused has had its own."""
        cycle = self._cycle
        if self.transport.is_closing():
            return
        if cycle is not None and not cycle.response_complete and (self.pipeline or not cycle.more_body):
            cycle.keep_alive = False  # the answers to what came before end the connection
            self._refused = True
            return
        if not (cycle is not None and self._in_body and cycle.response_started):
            id = new_id()
            answer = problem(status, detail, headers={"Connection": "close"}, request_id=id)
            headers = [*self.server_state.default_headers, *answer.raw_headers, *headers_for(id)]
            head = b"".join(b"%b: %b\r\n" % header for header in headers)
            self.transport.write(STATUS_LINE[status] + head + b"\r\n" + bytes(answer.body))
            if self._log:
                waited = self.loop.time() - self._since
                client = self.client[0] if self.client else NOTHING_KNOWN
                self._log(Access(id, NOTHING_KNOWN, NOTHING_KNOWN, status, False, waited, client))
        self.transport.close()

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The last request and its answer; there is none at first, whatever uvicorn's types say."""
        return self.cycle

    @property
    def _waits(self) -> bool:
        """Whether it is for the client to do something."""
        cycle = self._cycle
        return cycle is None or cycle.response_complete or (cycle.more_body and not self.pipeline)

    def _make_room(self) -> None:
        others = (each for each in self.connections if isinstance(each, Connection) and each is not self)
        longest = min((each for each in others if each._waits), key=lambda each: each._since, default=self)
        self.connections.discard(longest)
        longest.transport.abort()
