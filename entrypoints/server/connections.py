"""Connections with timeouts and size limits for what clients send."""

import re
from asyncio import BaseTransport, TimerHandle
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from time import sleep
from typing import Any, NoReturn, cast

from httptools import parse_url
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from entrypoints.api.http.byte_budget import DISCONNECT
from entrypoints.api.http.problems import problem
from entrypoints.api.middleware.request_context import UNKNOWN, RequestContextMiddleware, common_headers, new_request_id
from entrypoints.api.middleware.request_limits import TOO_SLOW
from entrypoints.logging import Access, AccessLog
from entrypoints.server.draining import DrainingConnection
from entrypoints.server.parser import Parser

HEAD_LIMIT = 64 * 1024
"""The maximum bytes of a request without its body: request line, headers, trailers."""

FIELD_LIMIT = 100
"""The maximum number of header fields: each costs about 150 bytes and 1 µs, however short it is."""

_TOO_MANY_FIELDS = f"There are more than {FIELD_LIMIT} header fields"
_TOO_LARGE = f"The header is larger than {HEAD_LIMIT // 1024} KiB"
_NO_HTTP = "This is no HTTP request"
_ONE_HOST = "There should be one Host header"
_WRONG_VERSION = "The version of HTTP should be 1.1 or 1.0"
_WRONG_CODING = "The only transfer coding should be chunked"
_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
"""The characters of a host and port (RFC 9112 §3.2, RFC 3986 §3.2.2), without those of user names and paths."""

_AUTHORITY = re.compile(rb"[^/]+://(?:[^/?@]*@)?([^/?]*)")
"""The scheme, user, and host with port of an absolute URL."""

PIPELINE_LIMIT = 10
"""The maximum requests that wait for the response to an earlier one of their connection; more close the connection.
Ten with ``FIELD_LIMIT`` fields each take 170 KiB."""

_ACCEPT_PAUSE = 1e-6
"""Seconds, which the system rounds up to about 60 µs, in which other workers can accept the next connection. Without
the pause, one worker accepts all of a burst, and serves all their requests alone while they are kept alive."""

_SILENT_PART = 0.1
"""The part of all connections that may be silent before one of them must give way. More connections than one must be
able to exist before their first byte, or a burst would replace each by the next."""

_WRITE_BUFFER = 64 * 1024
"""Bytes of a response that the transport buffers before the application waits; by default 512 KiB with TLS."""

_CLOSE_TIMEOUT = 2.0
"""Seconds in which a client must read the rest of its last response during a shutdown."""

_DISCARD = pack("ii", 1, 0)
"""The value of ``SO_LINGER`` with which a socket is closed without sending the rest (``struct linger``)."""

_LAST_READ_TIMEOUT = 5.0
"""Seconds in which a client must send the rest of its last request during a shutdown."""

UNREAD_LIMIT = 1024 * 1024
"""The maximum bytes of a body that the application does not read, as of a GET. They are discarded."""


def _with_path(url: bytes) -> bytes:
    """An absolute URL with a path: ``http://host?q=1`` means ``http://host/?q=1`` (RFC 9110 §4.2.3)."""
    parsed = parse_url(url)
    return url if parsed.path else b"/?" + parsed.query if parsed.query else b"/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What clients may use.

    :param head_wait: seconds for a client to send the head of a request.
    :param body_wait: seconds for it to send the next part of a body, or to read the next part of a response.
    :param connections: the maximum number of connections of this process.
    :param workers: the number of processes that accept connections from the same socket.
    """

    head_wait: float
    body_wait: float
    connections: int
    workers: int = 1


class Connection(DrainingConnection):
    """A connection with timeouts and limits; uvicorn's own waits for ever and accepts a head of any size.

    When there are too many connections, the server closes one that is waiting for its client: the oldest that never
    sent a byte, unless those are few; then the one whose client has made no progress for the longest time. So clients
    that send or read nothing cannot keep others out.
    """

    def __init__(self, *args: Any, limits: ConnectionLimits, log: AccessLog | None = None, **named: Any) -> None:
        super().__init__(*args, **named)
        self.parser: Parser = Parser(self)
        self._limits = limits
        self._log = log
        self._read_timer: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None
        self._unanswered: deque[RequestResponseCycle] = deque()  # requests without a complete response, oldest first
        self._in_body = False
        self._parse_error = 400, _NO_HTTP  # the response if the parser raises
        self._refused = False  # an earlier response is still being sent; ignore all further data
        self._request_complete = False  # the data ended with a complete request
        self._head_bytes = 0  # received since the last part of a body, or the last complete request
        self._unread = 0  # bytes of a body that are discarded
        self._waiting_since = 0.0  # when the connection was made, or the last request was complete
        self._progress_at = 0.0  # when it was made, part of a body came or of a response was read, or one was complete
        self._is_silent = True  # nothing has been received

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast(Any, transport))
        self.transport.set_write_buffer_limits(_WRITE_BUFFER)
        if self._limits.workers > 1:
            sleep(_ACCEPT_PAUSE)
        self._waiting_since = self._progress_at = self.loop.time()
        if len(self.connections) > self._limits.connections:
            self._close_longest_waiting()
        self._start_read_timer(self._limits.head_wait)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_read_timer()
        self._cancel_write_timer()
        super().connection_lost(exc)
        for cycle in self._unanswered:  # uvicorn does this only for the last request
            cycle.disconnected = True
            cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._request_complete = self._is_silent = False
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_body or self._request_complete:
            self._progress_at = self.loop.time()
        if self._request_complete or self.transport.is_closing():
            return
        if self._head_bytes > HEAD_LIMIT:
            self._refuse(431, _TOO_LARGE)
        elif self._read_timer is None:
            self._start_read_timer(self._limits.body_wait if self._in_body else self._limits.head_wait)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # ignore trailers (RFC 9110 §6.5.1)
            if len(self.headers) == FIELD_LIMIT:
                self._stop_parsing(431, _TOO_MANY_FIELDS)
            super().on_header(name, value.rstrip(b" \t"))  # which the parser does not strip (RFC 9110 §5.5)

    def on_headers_complete(self) -> None:
        if self._head_size > HEAD_LIMIT:  # the head came in one piece, which data_received has not checked yet
            self._stop_parsing(431, _TOO_LARGE)
        if self.parser.restarts:
            return
        self._cancel_read_timer()
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._stop_parsing(505, _WRONG_VERSION)
        hosts = [value for name, value in self.headers if name == b"host"]
        is_valid = len(hosts) == 1 and _HOST.fullmatch(hosts[0])
        if not is_valid and (hosts or version != "1.0"):
            self._stop_parsing(400, _ONE_HOST)
        coding = b",".join([value for name, value in self.headers if name == b"transfer-encoding"]).lower()
        if coding not in (b"", b"chunked"):  # without chunked at the end, there is no telling where the body ends
            self._stop_parsing(501 if coding.endswith(b"chunked") else 400, _WRONG_CODING)
        self._in_body = True
        self._unread = 0
        self._head_bytes = 0
        if not self.url.startswith(b"/"):
            if authority := _AUTHORITY.match(self.url):  # it replaces ``Host`` (RFC 9112 §3.2.2)
                self.headers[:] = [each for each in self.headers if each[0] != b"host"] + [(b"host", authority[1])]
            self.url = _with_path(self.url)
        if len(self.pipeline) >= PIPELINE_LIMIT:
            self._stop_parsing(400, _NO_HTTP)
        cast(Any, self.scope)["extensions"] = {DISCONNECT: self._reset}
        super().on_headers_complete()
        self._unanswered.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        super().on_body(body)
        if self.cycle.response_complete:
            self._unread += len(body)
            if self._unread > UNREAD_LIMIT:
                self.transport.abort()

    def on_message_complete(self) -> None:
        if self.parser.restarts:
            return
        self._cancel_read_timer()
        self._in_body = False
        self._request_complete = True
        self._head_bytes = 0
        self._waiting_since = self.loop.time()
        if not self.parser.should_keep_alive():  # a trailer may have said so, and the parser reads no further
            self.cycle.keep_alive = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._start_write_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._progress_at = self.loop.time()
        if self._cycle is None or self._cycle.response_complete:
            self._cancel_write_timer()

    def on_response_complete(self) -> None:
        self._unanswered.popleft()
        self._progress_at = self.loop.time()
        super().on_response_complete()
        self._cancel_write_timer()
        if self.flow.write_paused or self.transport.is_closing():
            self._start_write_timer()

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            self._start_write_timer()  # again, as the time is shorter now
        elif self._read_timer:
            self._cancel_read_timer()
            self._start_read_timer(self._limits.body_wait)

    def close_when_idle(self) -> None:
        super().close_when_idle()
        if self.transport.is_closing():
            self._start_write_timer()

    def _close(self) -> None:
        """Close the connection once the client has read what was sent, or when it takes too long to."""
        self.transport.close()
        self._start_write_timer()

    def _start_write_timer(self) -> None:
        self._cancel_write_timer()
        closes_soon = self._draining and self.transport.is_closing()
        seconds = _CLOSE_TIMEOUT if closes_soon else self._limits.body_wait
        self._write_timer = self.loop.call_later(seconds, self._reset)

    def _reset(self) -> None:
        """Close the connection at once, and discard what the client has not read.

        Otherwise the system keeps up to its send buffer until the client has read it, which may be never.
        """
        connected_socket = self.transport.get_extra_info("socket")
        if connected_socket is not None:
            with suppress(OSError, ValueError):  # it is closed; uvloop raises ValueError
                connected_socket.setsockopt(SOL_SOCKET, SO_LINGER, _DISCARD)
        self.transport.abort()

    def _cancel_write_timer(self) -> None:
        if self._write_timer:
            self._write_timer.cancel()
            self._write_timer = None

    def _stop_parsing(self, status: int, detail: str) -> NoReturn:
        """Make the parser raise; uvicorn then calls ``send_400_response``."""
        self._parse_error = status, detail
        raise ValueError(detail)

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn after an error of the parser."""
        self._refuse(*self._parse_error)

    def _unsupported_upgrade_warning(self) -> None:
        """Called by uvicorn after a CONNECT. Ignore what follows, which may not be HTTP."""
        self.cycle.keep_alive = False
        self._refused = True

    def _start_read_timer(self, seconds: float) -> None:
        if self._draining:
            seconds = min(seconds, _LAST_READ_TIMEOUT)
        self._read_timer = self.loop.call_later(seconds, self._on_read_timeout)

    def _cancel_read_timer(self) -> None:
        if self._read_timer:
            self._read_timer.cancel()
            self._read_timer = None

    def _on_read_timeout(self) -> None:
        self._read_timer = None
        if self._head_bytes or self._in_body:
            self._refuse(408, TOO_SLOW)
        else:
            self._close()

    def _refuse(self, status: int, detail: str) -> None:
        """Send an error and close the connection.

        Nothing is sent if the request already has a response. If an earlier request still waits for its response, the
        connection is closed after that one; if the head of the refused request is complete, after its own response.
        """
        cycle = self._cycle
        if self.transport.is_closing():
            return
        if cycle is not None and not cycle.response_complete and (self.pipeline or not cycle.more_body):
            cycle.keep_alive = False
            self._refused = True
            if cycle.more_body:
                self.pipeline[0] = cycle, self._refusal(status, detail)
            return
        if not (cycle is not None and self._in_body and cycle.response_started):
            self._send_problem(status, detail)
        self._close()

    def _refusal(self, status: int, detail: str) -> Any:
        """An application that refuses a request when it is its turn."""

        async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
            await problem(status, detail)(scope, receive, send)

        return RequestContextMiddleware(refuse, *[self._log] if self._log else [])

    def _send_problem(self, status: int, detail: str) -> None:
        id = new_request_id()
        response = problem(status, detail, headers={"Connection": "close"}, request_id=id)
        headers = [*self.server_state.default_headers, *response.raw_headers, *common_headers(id)]
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
        head += b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(head + b"\r\n" + bytes(response.body))
        if self._log:
            seconds = self.loop.time() - self._waiting_since
            client = self.client[0] if self.client else UNKNOWN
            self._log(Access(id, UNKNOWN, UNKNOWN, status, False, seconds, client))

    @property
    def _head_size(self) -> int:
        """The bytes of the request line and the header, with the usual spaces."""
        line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        return line + sum([len(name) + len(value) + len(": \r\n") for name, value in self.headers]) + len("\r\n")

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The last request and its response; None before the first request, although uvicorn's types say otherwise."""
        return self.cycle

    @property
    def _waits_for_client(self) -> bool:
        cycle = self._cycle
        if cycle is None or cycle.response_complete or self.flow.write_paused:
            return True
        return cycle.more_body and not self.pipeline

    def _close_longest_waiting(self) -> None:
        others = (each for each in self.connections if isinstance(each, Connection) and each is not self)
        waiting = [each for each in others if each._waits_for_client]
        silent = [each for each in waiting if each._is_silent]
        candidates = silent if len(silent) > _SILENT_PART * self._limits.connections else waiting
        longest = min(candidates, key=lambda each: each._progress_at, default=self)
        self.connections.discard(longest)
        if longest.flow.write_paused:
            longest._reset()
        else:
            longest.transport.abort()
