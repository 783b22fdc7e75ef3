"""Clients that speak to a service byte by byte, as no library would."""

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

import psutil

from tests.faults.service import Service

JSON = b"Host: belongings\r\nContent-Type: application/json\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: belongings\r\n\r\n"
POST = b"POST /items/ HTTP/1.1\r\n" + JSON
ENDLESS = b"%x\r\n%b\r\n" % (65_536, b" " * 65_536)
"""A piece of a chunked body."""

PATIENCE = 60.0


def connect(service: Service) -> socket.socket:
    """A connection on which nothing was said yet."""
    parts = urlsplit(service.url)
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=PATIENCE)


def rest(connection: socket.socket) -> bytes:
    """All that is said until the service closes the connection, which must be within a minute.

    :raises TimeoutError: it was not.
    """
    said = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65_536):
            said += piece
    return said


def send(connection: socket.socket, pieces: Iterable[bytes], *, pause: float = 0.0) -> bool:
    """Whether the service took all of them."""
    try:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
    except ConnectionError:
        return False
    return True


def say(service: Service, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What the service says to these bytes until it closes the connection."""
    with connect(service) as connection:
        send(connection, pieces, pause=pause)
        return rest(connection)


def resident(process: psutil.Process) -> float:
    """MiB of memory."""
    return float(process.memory_info().rss) / 2**20
