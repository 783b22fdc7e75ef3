"""Which addresses clients have behind a trusted proxy."""

import asyncio
from typing import Any

import pytest

from entrypoints.server.tls import TlsConfig

PROXY = "10.0.0.1"


def client_of(peer: str, *values: bytes) -> str:
    """The address of a client whose request came from this peer with these ``X-Forwarded-For``."""
    clients: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        clients.append(scope["client"][0])

    config = TlsConfig(app, log_config=None, ws="none", forwarded_allow_ips=["10.0.0.0/8"])
    config.load()
    loaded: Any = config.loaded_app
    headers = [(b"x-forwarded-for", value) for value in values]
    asyncio.run(loaded({"type": "http", "client": (peer, 5000), "headers": headers}, None, None))
    return clients[0]


@pytest.mark.parametrize(
    ("value", "client"),
    [
        (b"192.0.2.1", "192.0.2.1"),
        (b" 192.0.2.1 ", "192.0.2.1"),
        (b"192.0.2.1:1234", "192.0.2.1"),
        (b"2001:db8::1", "2001:db8::1"),
        (b"[2001:db8::1]", "2001:db8::1"),
        (b"[2001:db8::1]:1234", "2001:db8::1"),
        (b"x, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
    ],
)
def test_the_address_is_what_the_last_proxy_says(value: bytes, client: str) -> None:
    assert client_of(PROXY, value) == client
    assert client_of(PROXY, b"192.0.2.99", value) == client
    assert client_of("192.0.2.2", value) == "192.0.2.2"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"unknown",
        b"_hidden",
        b"192.0.2.1, unknown",
        b"192.0.2.1:x",
        b"192.0.2.256",
        b"192.0.2.1 GET /items/ 200",
        b"\x1b[31m",
        b"[::1",
        b"fe80::1%x y",
        b"1" * 10_000,
    ],
)
def test_what_is_no_ip_address_is_not_taken(value: bytes) -> None:
    assert client_of(PROXY, value) == PROXY
