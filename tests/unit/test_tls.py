"""How connections with TLS begin."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop
from uvicorn.server import ServerState

from entrypoints.server.connections import ConnectionLimits
from entrypoints.server.tls import TlsConfig, TlsConnection
from tests.certificates import make_certificate

GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

Client = Callable[[str, int], Awaitable[Any]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def talk(files: tuple[Path, Path], request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs a client of a server of our own; what it returns, once the server has no connection any more."""

    def run(client: Client, *, head_wait: float = 60, connections: int = 10) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            limits = ConnectionLimits(head_wait=head_wait, body_wait=60, connections=connections)
            return runner.run(_serve(client, files, limits))

    return run


async def _serve(client: Client, files: tuple[Path, Path], limits: ConnectionLimits) -> Any:
    state = ServerState()
    config = TlsConfig(app=_scheme, log_config=None, ws="none", ssl_certfile=files[0], ssl_keyfile=files[1])
    config.load()
    make = partial(TlsConnection, config=config, server_state=state, app_state={}, limits=limits)
    async with asyncio.timeout(50), await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server:
        result = await client(*server.sockets[0].getsockname())
        while state.connections:
            await asyncio.sleep(0)
    return result


async def _scheme(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers with the scheme by which it was called."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


async def say(sent: bytes, host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(sent)
    said = await reader.read()
    writer.close()
    return said


async def leave(host: str, port: int) -> bytes:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    return b""


async def ask(host: str, port: int, *, stay: bool = False) -> bytes:
    """Send the request in the same segment as the end of the handshake.

    :param stay: do not confirm the end of the TLS session, but wait until the server closes the connection.
    """
    reader, writer = await asyncio.open_connection(host, port)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = context.wrap_bio(incoming, outgoing)

    async def complete(step: Callable[[], Any]) -> Any:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65_536))

    await complete(tls.do_handshake)
    tls.write(GET)
    said = b""
    while piece := await complete(tls.read):
        said += piece
    try:
        if stay:
            async with asyncio.timeout(20):
                with suppress(ConnectionResetError):
                    await reader.read()
    finally:
        writer.close()
    return said


def test_a_request_may_come_with_the_end_of_the_handshake(talk: Callable[..., Any]) -> None:
    said = talk(ask)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"https" in said


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_does_not_come_to_its_end_is_cut_off(begun: bytes, talk: Callable[..., Any]) -> None:
    assert talk(partial(say, begun), head_wait=0.1) == b""


def test_a_client_that_does_not_confirm_the_end_of_the_session_is_disconnected_soon(
    talk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.server.tls._SHUTDOWN_TIMEOUT", 0.1, raising=False)
    assert talk(partial(ask, stay=True)).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_handshake_that_fails_leaves_no_connection_behind(talk: Callable[..., Any]) -> None:
    assert b"HTTP" not in talk(partial(say, GET))
    assert talk(leave) == b""


def test_connections_count_before_their_handshake_and_make_room_for_others(talk: Callable[..., Any]) -> None:
    async def crowd(host: str, port: int) -> bytes:
        silent = [await asyncio.open_connection(host, port) for _ in range(20)]
        said = await ask(host, port)
        ends = [asyncio.ensure_future(reader.read()) for reader, _ in silent]
        while sum(end.done() for end in ends) < 16:
            await asyncio.sleep(0)
        for _, writer in silent:
            writer.close()
        assert await asyncio.gather(*ends) == [b""] * 20
        return said

    assert talk(crowd, connections=5).startswith(b"HTTP/1.1 200 OK\r\n")
