"""How connections are taken, and what of a request reaches the application."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from socket import SO_RCVBUF, SOL_SOCKET, socket
from typing import Any

import pytest
import uvloop
from uvicorn import Config
from uvicorn.server import ServerState

from entrypoints.api.http.byte_budget import DISCONNECT
from entrypoints.api.middleware.browser_guard import BrowserGuardMiddleware
from entrypoints.server.connections import FIELD_LIMIT, HEAD_LIMIT, PIPELINE_LIMIT, Connection, ConnectionLimits
from entrypoints.server.draining import DrainingConnection


@pytest.mark.parametrize(("workers", "pauses"), [(1, 0), (2, 3)])
def test_a_worker_among_others_leaves_them_time_to_take_the_next(
    monkeypatch: pytest.MonkeyPatch, workers: int, pauses: int
) -> None:
    paused: list[float] = []
    monkeypatch.setattr("entrypoints.server.connections.sleep", paused.append)
    state = ServerState()

    async def connect() -> None:
        async with listening(_nothing, state, workers=workers) as address:
            for _ in range(3):
                _, writer = await asyncio.open_connection(*address)
                while not state.connections:
                    await asyncio.sleep(0)
                writer.close()
                await writer.wait_closed()
                while state.connections:
                    await asyncio.sleep(0)

    asyncio.run(connect())
    assert len(paused) == pauses


@pytest.mark.parametrize("end", [b"", b" ", b"\t \t"])
def test_white_space_around_a_value_is_no_part_of_it(end: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x%b\r\nPrefer: \t a b%b\r\nIf-Match:%b\r\n\r\n" % (end, end, end)
    _, (headers,) = asyncio.run(talk(head))
    assert headers == [(b"host", b"x"), (b"prefer", b"a b"), (b"if-match", b"")]


def test_who_waits_to_be_told_to_go_on_is_told_so_even_with_white_space() -> None:
    said, _ = asyncio.run(talk(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue \r\n\r\n"))
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Host: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a@b/evil?x\r\n\r\n",
    ],
)
def test_a_request_without_a_host_or_with_two_or_with_none_that_can_be_is_refused_with_a_problem(head: bytes) -> None:
    said, headers = asyncio.run(talk(head))
    assert headers == []
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["detail"] == "There should be one Host header"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
    ],
)
def test_a_client_of_http_1_0_need_not_name_the_host_and_any_other_may_leave_it_empty(head: bytes) -> None:
    said, _ = asyncio.run(talk(head))
    assert said.startswith(b"HTTP/1.1 204 ")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /\r\n\r\n", b"505 "),
        (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", b"505 "),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", b"505 "),
        (b"POST / HTTP/2.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n", b"505 "),
        (b"GET / HTTP/1.9\r\nHost: x\r\n\r\n", b"400 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"501 "),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"501 ",
        ),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", b"400 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"400 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", b"204 "),
    ],
)
def test_unsupported_versions_and_transfer_codings_are_refused(head: bytes, status: bytes) -> None:
    said, headers = asyncio.run(talk(head))
    assert said.startswith(b"HTTP/1.1 " + status)
    assert (headers == []) == (status != b"204 ")


def test_what_comes_behind_a_body_is_no_header() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    _, (headers,) = asyncio.run(talk(head + b"2\r\n{}\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\nHost: y\r\n\r\n"))
    assert headers == [(b"host", b"x"), (b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("split", [False, True])
def test_the_first_header_field_over_the_limit_is_refused_and_nothing_after_it_is_parsed(split: bool) -> None:
    async def act() -> None:
        connection = connected(_nothing)
        fields = [b"Host: x\r\n", *(b"%x:\r\n" % (4096 + i) for i in range(9_200))]
        sent = b"GET / HTTP/1.1\r\n" + b"".join(fields)
        for piece in [sent[i : i + 1000] for i in range(0, len(sent), 1000)] if split else [sent]:
            if not connection.transport.is_closing():
                connection.data_received(piece)
        assert connection.transport.said.startswith(b"HTTP/1.1 431 ")
        assert len(connection.headers) == FIELD_LIMIT

    asyncio.run(act())


def test_as_many_header_fields_as_the_limit_allows_are_accepted() -> None:
    fields = b"".join(b"%d:\r\n" % i for i in range(FIELD_LIMIT - 1))
    said, (headers,) = asyncio.run(talk(b"GET / HTTP/1.1\r\nHost: x\r\n%b\r\n" % fields))
    assert said.startswith(b"HTTP/1.1 204 ")
    assert len(headers) == FIELD_LIMIT


@pytest.mark.parametrize("upgrade", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"])
@pytest.mark.parametrize(("excess", "status"), [(0, b"204"), (1, b"431")])
def test_a_head_in_one_segment_is_measured_with_its_request_line_and_separators(
    upgrade: bytes, excess: int, status: bytes
) -> None:
    async def act() -> bytes:
        connection = connected(_answer_scope)
        head = (
            b"GET / HTTP/1.1\r\nHost: x\r\n" + upgrade + b"".join(b"%x: \r\n" % i for i in range(16, 100)) + b"Long: "
        )
        connection.data_received(head + b"x" * (HEAD_LIMIT + excess - len(head) - 4) + b"\r\n\r\n")
        await asyncio.gather(*connection.tasks)
        return bytes(connection.transport.said)

    assert asyncio.run(act()).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://x", ("/", b"")),
        (b"http://x:8000", ("/", b"")),
        (b"http://x?q=/a", ("/", b"q=/a")),
        (b"http://x/", ("/", b"")),
        (b"http://x/a?q=1", ("/a", b"q=1")),
    ],
)
def test_a_url_without_a_path_is_that_of_the_root(target: bytes, path: tuple[str, bytes]) -> None:
    asked: list[tuple[str, bytes]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append((scope["path"], scope["query_string"]))
        await _answer(send)

    said = asyncio.run(say(app, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target))
    assert said.startswith(b"HTTP/1.1 204 ")
    assert asked == [path]


@pytest.mark.parametrize(
    ("target", "version", "host"),
    [
        (b"http://other.example/", b"1.1", b"other.example"),
        (b"HTTPS://Other.Example:8443/a@b", b"1.1", b"Other.Example:8443"),
        (b"http://localhost:8000@other.example?http://localhost/", b"1.1", b"other.example"),
        (b"http://[::1]:8000", b"1.1", b"[::1]:8000"),
        (b"http://other.example/", b"1.0", b"other.example"),
        (b"//other.example/", b"1.1", b"localhost"),
        (b"/http://other.example/", b"1.1", b"localhost"),
    ],
)
def test_the_host_in_an_absolute_url_replaces_the_header(target: bytes, version: bytes, host: bytes) -> None:
    _, (headers,) = asyncio.run(talk(b"GET %b HTTP/%b\r\nHost: localhost\r\nA: b\r\n\r\n" % (target, version)))
    assert sorted(headers) == [(b"a", b"b"), (b"host", host)]


def test_an_absolute_url_with_an_unknown_host_is_refused() -> None:
    app = BrowserGuardMiddleware(_answer_scope, hosts=(), origins=())
    said = asyncio.run(say(app, b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    assert said.startswith(b"HTTP/1.1 421 ")


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        GET,  # closed when it has been idle
        b"GET",  # closed when the rest does not arrive
        b"no HTTP\r\n\r\n",
        b"",
    ],
)
def test_a_closed_connection_is_aborted_if_its_client_does_not_read_the_rest(sent: bytes) -> None:
    async def act() -> None:
        connection = connected(_answer_and_stay, head_wait=0.01, body_wait=0.01, keep_alive=0)
        if sent:
            connection.data_received(sent)
        await aborted(connection)

    asyncio.run(act())


@pytest.mark.parametrize("idle", [True, False])
def test_a_client_that_does_not_read_a_response_cannot_delay_a_shutdown(
    monkeypatch: pytest.MonkeyPatch, idle: bool
) -> None:
    monkeypatch.setattr(DrainingConnection, "_draining", False)
    monkeypatch.setattr("entrypoints.server.draining._GRACE_PERIOD", 0.01)
    monkeypatch.setattr("entrypoints.server.connections._CLOSE_TIMEOUT", 0.01)

    async def act() -> None:
        connection = connected(_answer_and_stay, body_wait=3600)
        connection.data_received(GET)
        if idle:
            await asyncio.gather(*connection.tasks)
        connection.shutdown()
        await aborted(connection)

    asyncio.run(act())


@pytest.mark.parametrize("begins", ["before", "afterwards"])
def test_a_client_that_does_not_finish_its_request_cannot_delay_a_shutdown(
    monkeypatch: pytest.MonkeyPatch, begins: str
) -> None:
    monkeypatch.setattr(DrainingConnection, "_draining", False)
    monkeypatch.setattr("entrypoints.server.connections._LAST_READ_TIMEOUT", 0.01)

    async def act() -> None:
        connection = connected(_read_and_answer, body_wait=3600)
        for step in ("before", "shutdown", "afterwards"):
            if step == "shutdown":
                connection.shutdown()
            elif step == begins:
                connection.data_received(POST)
        async with asyncio.timeout(10):
            while not connection.transport.is_closing():
                await asyncio.sleep(0.001)
        await disconnected([connection])
        assert connection.transport.said.startswith(b"HTTP/1.1 408 ")

    asyncio.run(act())


def test_a_connection_that_was_already_closing_cannot_delay_a_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DrainingConnection, "_draining", False)
    monkeypatch.setattr("entrypoints.server.connections._CLOSE_TIMEOUT", 0.01)

    async def act() -> None:
        connection = connected(_answer_and_stay, body_wait=3600)
        connection.data_received(b"no HTTP\r\n\r\n")
        connection.shutdown()
        await aborted(connection)

    asyncio.run(act())


def test_a_connection_whose_client_does_not_read_makes_room_for_another() -> None:
    async def act() -> None:
        state = ServerState()
        first, second = (connected(_read_and_answer, state=state, connections=2) for _ in range(2))
        for each in (first, second):
            each.data_received(GET)
        second.pause_writing()
        third = connected(_read_and_answer, state=state, connections=2)
        evicted = [each.transport.aborted for each in (first, second, third)]
        for each in (first, second, third):
            each.connection_lost(None)
        await asyncio.gather(*state.tasks)
        assert evicted == [False, True, False]

    asyncio.run(act())


def test_an_application_can_close_the_connection_at_once() -> None:
    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        scope["extensions"][DISCONNECT]()

    async def act() -> None:
        connection = connected(app)
        connection.data_received(GET)
        await aborted(connection)
        connection.connection_lost(None)
        await asyncio.gather(*connection.tasks)

    asyncio.run(act())


@pytest.mark.parametrize("by", ["application", "timeout", "new connection"])
def test_the_system_discards_what_a_client_has_not_read_when_it_is_disconnected(by: str) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        await send({"type": "http.response.body"})

    async def act() -> None:
        state = ServerState()
        body_wait = 0.01 if by == "timeout" else 30
        async with listening(app, state, body_wait=body_wait, connections=1) as address:
            with socket() as client:
                client.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
                client.connect(address)
                client.sendall(GET)
                while not state.connections:
                    await asyncio.sleep(0)
                connection: Any = next(iter(state.connections))
                while not connection.flow.write_paused:
                    await asyncio.sleep(0)
                if by == "application":
                    scopes[0]["extensions"][DISCONNECT]()
                elif by == "new connection":
                    (await asyncio.open_connection(*address))[1].close()
                while not all(task.done() for task in state.tasks):
                    await asyncio.sleep(0)
                with pytest.raises(ConnectionResetError):
                    while client.recv(65_536):
                        pass

    scopes: list[Any] = []
    asyncio.run(act())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_connection_that_has_just_been_closed_can_be_closed_again(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        scopes.append(scope)
        await _answer(send)

    async def act() -> None:
        async with listening(app, ServerState()) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(GET)
            await reader.read()
            writer.close()
            scopes[0]["extensions"][DISCONNECT]()

    scopes: list[Any] = []
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(act())


POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"


@pytest.mark.parametrize("limit", [5, 50])
def test_the_oldest_silent_connection_makes_room_first_unless_there_are_few(limit: int) -> None:
    async def act() -> None:
        state = ServerState()
        received = [POST, GET[:5], b"", GET, b""]
        connections = [connected(_read_and_answer, state=state, connections=limit) for _ in range(limit)]
        for connection, data in zip(connections, received + (limit - len(received)) * [POST], strict=True):
            if data:
                connection.data_received(data)
        connections.append(connected(_read_and_answer, state=state, connections=limit))
        evicted = [each.transport.aborted for each in connections]
        await disconnected(connections)
        assert evicted.index(True) == (2 if limit == 5 else 1)

    asyncio.run(act())


@pytest.mark.parametrize(
    ("progress", "older", "newer"), [("sends", POST, POST), ("reads", GET, GET), ("gets a response", GET, POST)]
)
def test_a_connection_that_makes_progress_outlives_a_newer_one_that_makes_none(
    progress: str, older: bytes, newer: bytes
) -> None:
    async def act() -> None:
        state = ServerState()
        first, second = (connected(_read_and_answer, state=state, connections=2) for _ in range(2))
        first.data_received(older)
        second.data_received(newer)
        if progress == "reads":
            first.pause_writing()
            second.pause_writing()
        await asyncio.sleep(0.01)
        if progress == "sends":
            first.data_received(b"1")
        elif progress == "reads":
            first.resume_writing()
            first.pause_writing()
        third = connected(_read_and_answer, state=state, connections=2)
        evicted = [each.transport.aborted for each in (first, second)]
        await disconnected([first, second, third])
        assert evicted == [False, True]

    asyncio.run(act())


async def disconnected(connections: list[Any]) -> None:
    """Let their clients disconnect, and wait until their requests have ended."""
    for each in connections:
        each.connection_lost(None)
    await asyncio.gather(*connections[0].server_state.tasks)


def test_all_pipelined_requests_end_when_their_client_disconnects() -> None:
    disconnected: list[bool] = []

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        disconnected.append((await receive())["type"] == "http.disconnect")

    async def act() -> None:
        connection = connected(app)
        connection.data_received(GET + GET)
        await asyncio.sleep(0)
        connection.connection_lost(ConnectionResetError())
        async with asyncio.timeout(10):
            await asyncio.gather(*connection.tasks)
        assert disconnected == [True]
        assert connection.transport.said == b""

    asyncio.run(act())


def test_few_pipelined_requests_are_kept_in_memory_and_all_of_them_are_answered() -> None:
    async def act() -> None:
        connection = connected(_answer_and_stay)
        connection.data_received(GET * 100)
        assert len(connection.pipeline) == PIPELINE_LIMIT == 10
        while not connection.transport.is_closing():
            await asyncio.sleep(0)
        assert connection.transport.said.count(b"HTTP/1.1 204 ") == 1 + PIPELINE_LIMIT

    asyncio.run(act())


def test_nothing_is_sent_to_a_pipelining_client_that_has_disconnected() -> None:
    async def act() -> None:
        connection = connected(_answer_and_stay)
        connection.data_received(GET)
        await asyncio.gather(*connection.tasks)
        answered = connection.transport.said
        connection.data_received(GET + GET)
        connection.connection_lost(ConnectionResetError())
        await asyncio.gather(*connection.tasks)
        assert connection.transport.said == answered

    asyncio.run(act())


@pytest.mark.parametrize("before", [GET, GET + GET])
def test_a_broken_body_behind_other_requests_is_refused_in_its_turn(before: bytes) -> None:
    started: list[str] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        started.append(scope["method"])
        await _answer_and_stay(scope, _receive, send)

    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nX-Request-ID: ours\r\nTransfer-Encoding: chunked\r\n\r\n"
    said = asyncio.run(say(app, before + chunked + b"2\r\n{}\r\nxyz\r\n"))
    *answers, refusal = said.split(b"HTTP/1.1 ")[1:]
    assert [each[:4] for each in answers] == [b"204 "] * before.count(b"GET")
    assert started == ["GET"] * before.count(b"GET")
    head, _, body = refusal.partition(b"\r\n\r\n")
    assert head.startswith(b"400 Bad Request\r\n")
    assert b"\r\nconnection: close" in head
    assert b"\r\nx-request-id: ours" in head
    assert json.loads(body)["detail"] == "This is no HTTP request"


async def aborted(connection: Any) -> None:
    """Wait until this connection is aborted."""
    async with asyncio.timeout(10):
        while not connection.transport.aborted:
            await asyncio.sleep(0.001)


class Transport(asyncio.Transport):
    """Keeps what is written, as if the client did not read it."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.aborted = False
        self._closing = False

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        self.said += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = self.aborted = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def connected(
    app: Any,
    *,
    state: ServerState | None = None,
    connections: int = 10,
    head_wait: float = 30,
    body_wait: float = 30,
    keep_alive: int = 5,
) -> Any:
    """A connection to this application, without a network; call this in an event loop."""
    config = Config(app=app, log_config=None, ws="none", timeout_keep_alive=keep_alive)
    config.load()
    limits = ConnectionLimits(head_wait=head_wait, body_wait=body_wait, connections=connections)
    connection = Connection(config=config, server_state=state or ServerState(), app_state={}, limits=limits)
    connection.connection_made(Transport())
    return connection


async def talk(sent: bytes) -> tuple[bytes, list[list[tuple[bytes, bytes]]]]:
    """What is said to this by the time that nothing more is, and the headers of the requests that were in it."""
    headers: list[list[tuple[bytes, bytes]]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers.append(list(scope["headers"]))
        if scope["method"] == "POST":
            await receive()
        await _answer(send)

    return await say(app, sent), headers


async def say(app: Any, sent: bytes) -> bytes:
    """What this application says until it closes the connection."""
    async with listening(app, ServerState()) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(sent)
        said = await reader.read()
        writer.close()
    return said


async def _answer(send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body"})


@asynccontextmanager
async def listening(
    app: Any, state: ServerState, *, workers: int = 1, body_wait: float = 30, connections: int = 10
) -> AsyncIterator[tuple[str, int]]:
    """The address at which this application is asked by our connections, and by nothing else of ours."""
    config = Config(app=app, log_config=None, ws="none")
    config.load()
    limits = ConnectionLimits(head_wait=30, body_wait=body_wait, connections=connections, workers=workers)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config=config, server_state=state, app_state={}, limits=limits), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None: ...


async def _answer_scope(_scope: Any, _receive: Any, send: Any) -> None:
    await _answer(send)


async def _answer_and_stay(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def _read_and_answer(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await _answer(send)
