"""Requests that offer to switch to another protocol are requests like any other; so are their bodies."""

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from entrypoints.server.connections import Connection, ConnectionLimits

OFFERS = [
    b"Upgrade: h2c",
    b"upgrade: websocket",
    b"UPGRADE:TLS/1.2, HTTP/2.0",
    b"Upgrade:\t",
    b"Upgrade: a\r\nUpgrade: b",
]
SMUGGLED = b"DELETE /users/2 HTTP/1.1\r\nHost: x\r\n\r\n"
CONNECTIONS = [
    b"Upgrade",
    b"keep-alive, Upgrade",
    b"Upgrade, HTTP2-Settings",
    b"upgrade,close",
    b"close",
    b"keep-alive",
]
BODIES = [
    b"",
    b"\r\n",
    b"{}",
    b"Upgrade: h2c\r\n\r\n",
    SMUGGLED,
    b"POST /b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
    b"x" * 300,
]
BROKEN = [
    b"Content-Length: 2\r\nContent-Length: 3",
    b"Content-Length: 2\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 2",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity",
    b"Content-Length: -1",
    b"Content-Length : 5",
]

Seen = tuple[str, str, list[tuple[bytes, bytes]], bytes]


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self._closing = False

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        self.said += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def requests_in(segments: Iterable[bytes]) -> tuple[list[Seen], bytes]:
    """The requests that the application sees to their end, whatever ``Upgrade`` they have, and what the client sees."""
    seen: list[Seen] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            body, more = body + event["body"], event["more_body"]
        headers = [header for header in scope["headers"] if header[0] != b"upgrade"]
        seen.append((scope["method"], scope["raw_path"].decode(), headers, body))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    state, transport = ServerState(), Transport()
    config = Config(app=app, log_config=None, ws="none", timeout_keep_alive=60)
    config.load()
    limits = ConnectionLimits(head_wait=60, body_wait=60, connections=10)
    connection = Connection(config=config, server_state=state, app_state={}, limits=limits)
    connection.connection_made(transport)
    for segment in segments:
        if not transport.is_closing():
            connection.data_received(segment)
            await _settle(state)
    connection.connection_lost(None)
    await _settle(state)
    return seen, transport.said


async def _settle(state: ServerState) -> None:
    """Let everything happen that happens without further bytes."""
    for _ in range(15 if state.tasks else 1):
        await asyncio.sleep(0)


def several(random: Random) -> tuple[bytes, bytes]:
    """Some requests, with and without their offers."""
    offered = plain = b""
    for _ in range(random.randint(1, 4)):
        body = random.choice(BODIES)
        lines = [
            b"Host: x",
            b"Connection: " + random.choice(CONNECTIONS),
            b"X-Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABk",
        ]
        kind = random.random()
        if kind < 0.4:
            lines.append(b"Content-Length: %d" % len(body))
        elif kind < 0.8:
            lines.append(b"Transfer-Encoding: chunked")
            body = _chunked(body, random)
        elif kind < 0.9:
            lines.append(random.choice(BROKEN))
        else:
            body = b""
        random.shuffle(lines)
        line = random.choice((b"GET", b"POST", b"PATCH")) + b" /a?b HTTP/" + random.choice((b"1.1", b"1.1", b"1.0"))
        plain += b"\r\n".join([line, *lines, b"", body])
        lines.insert(random.randint(0, len(lines)), random.choice(OFFERS))
        offered += b"\r\n".join([line, *lines, b"", body])
    return offered, plain


def _chunked(body: bytes, random: Random) -> bytes:
    cut = random.randint(0, len(body))
    pieces = [piece for piece in (body[:cut], body[cut:]) if piece]
    trailer = random.choice((b"", b"X: y\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"


def cut(sent: bytes, random: Random) -> list[bytes]:
    """The same bytes, in segments."""
    if random.random() < 0.1:
        return [sent[n : n + 1] for n in range(len(sent))]
    cuts = sorted(random.randint(0, len(sent)) for _ in range(random.randint(0, 5)))
    return [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True) if start < end]


def compare(count: int, seed: int) -> int:
    """Compare this many conversations; how many requests were in them."""
    random = Random(seed)

    async def all() -> int:
        found = 0
        for _ in range(count):
            offered, plain = several(random)
            expected, _ = await requests_in([plain])
            segments = cut(offered, random)
            assert (await requests_in(segments))[0] == expected, segments
            found += len(expected)
        return found

    return asyncio.run(all())


def test_requests_with_an_offer_are_those_without_it_however_they_are_cut() -> None:
    assert compare(500, seed=1) > 500


@pytest.mark.long
def test_50000_conversations_with_an_offer_are_those_without_it() -> None:
    assert compare(50_000, seed=2) > 50_000


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_no_request_wherever_it_is_cut(chunked: bool) -> None:
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(SMUGGLED)
    body = _chunked(SMUGGLED, Random(1)) if chunked else SMUGGLED
    post = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n%b\r\n\r\n%b" % (length, body)
    sent = post + b"GET /behind HTTP/1.1\r\nHost: x\r\n\r\n"

    async def everywhere() -> None:
        for n in range(len(sent)):
            seen, said = await requests_in([sent[:n], sent[n:]])
            assert [(method, path) for method, path, *_ in seen] == [("POST", "/a"), ("GET", "/behind")]
            assert seen[0][3] == SMUGGLED
            assert said.count(b"HTTP/1.1 204 ") == 2

    asyncio.run(everywhere())


@pytest.mark.parametrize("rest", [SMUGGLED, b"\x16\x03\x01", b""])
def test_nothing_that_follows_a_connect_is_a_request_and_its_answer_is_the_last(rest: bytes) -> None:
    connect = b"CONNECT /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(rest)
    for sent in (connect, b"GET /before HTTP/1.1\r\nHost: x\r\n\r\n" + connect):
        for segments in ([sent + rest], [sent, rest], [sent[:-1], sent[-1:] + rest[:3], rest[3:]]):
            seen, said = asyncio.run(requests_in(segments))
            assert [method for method, *_ in seen][-1:] == ["CONNECT"]
            assert said.count(b"HTTP/1.1 204 ") == said.count(b"HTTP/1.1 ") == len(seen) == sent.count(b"Host")
            assert said.endswith(b"connection: close\r\n\r\n")


@pytest.mark.parametrize("trailer", [b"Connection: close", b"Proxy-Connection: close", b"Connection: x, Close"])
def test_a_trailer_that_ends_the_connection_ends_it_with_the_response(trailer: bytes) -> None:
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    after = b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
    end = b"0\r\n" + trailer + b"\r\n\r\n"
    for segments in ([head + end, after], [head, end + after]):
        seen, said = asyncio.run(requests_in(segments))
        assert [path for _, path, *_ in seen] == ["/a"]
        assert said.count(b"HTTP/1.1 ") == said.count(b"connection: close") == 1
