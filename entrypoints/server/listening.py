"""The socket to listen on, and the checks before it: may others reach it, and do the TLS files work?"""

import logging
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from entrypoints.settings import Settings

SEND_BUFFER = 256 * 1024
"""Bytes of a response that the system buffers for each connection; Linux takes twice as many. By default it is 4 MB.
With some hundred clients that do not read, the system then has no memory left for other connections."""


_OTHER_FILES = 100
"""Open files of a process beside its client connections: databases, logs, listening sockets."""

logger = logging.getLogger("belongings")


class CannotServe(Exception):
    """The service cannot start with these options; the message is one line."""


def find_address(host: str, port: int, *, open_to_network: bool) -> tuple[socket.AddressFamily, Any]:
    """The address to listen on. A name is resolved only once, so the address that is checked is the one that is used.

    :param open_to_network: whether other machines may connect.
    :raises CannotServe: the host does not exist, or other machines could connect although they may not.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with _os_errors_as_one_line(host, port):
        address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
    if not (open_to_network or ip_address(address[0]).is_loopback):
        raise CannotServe(
            f"{host} can be reached from other machines, and the service has no authentication: every caller may"
            " read and write everything. If you want that, add --open-to-network or set BELONGINGS_OPEN_TO_NETWORK=true"
        )
    return family, address


def listen(family: socket.AddressFamily, address: Any) -> socket.socket:
    """A listening socket. Clients can connect to it before the application has started.

    :raises CannotServe: the address is in use, or does not belong to this machine.
    """
    with _os_errors_as_one_line(*address[:2]):
        listener = socket.create_server(address, family=family, backlog=2048)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return listener


@contextmanager
def _os_errors_as_one_line(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotServe(f"cannot listen on {host}:{port}: {str(error.strerror).partition(' (while')[0]}") from error


def warn_about_open_files(connections: int) -> None:
    """Log a warning if the limit on open files (``ulimit -n``) is too low for this many connections."""
    if sys.platform == "win32":
        return  # it has no such limit
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit != resource.RLIM_INFINITY and limit < connections + _OTHER_FILES:
        text = "the limit on open files (ulimit -n) is %d, but BELONGINGS_CONNECTIONS=%d needs at least %d"
        logger.warning(text, limit, connections, connections + _OTHER_FILES)


def check_tls(settings: Settings) -> str:
    """The scheme of the service's URL: ``https`` if there is a certificate, which is checked here.

    :raises CannotServe: a file is missing or not valid, or the key does not belong to the certificate.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if not certificate:
        if key:
            raise CannotServe("BELONGINGS_TLS_KEY needs a BELONGINGS_TLS_CERTIFICATE")
        return "http"
    for name, file in (("CERTIFICATE", certificate), ("KEY", key)):
        try:
            Path(file or certificate).read_bytes()
        except OSError as error:
            raise CannotServe(f"BELONGINGS_TLS_{name}: {error.strerror}") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key or None, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CannotServe("BELONGINGS_TLS_KEY is not the key of BELONGINGS_TLS_CERTIFICATE") from error
        raise CannotServe("BELONGINGS_TLS_CERTIFICATE and BELONGINGS_TLS_KEY are not both readable as PEM") from error
    return "https"


def _no_password() -> str:
    raise CannotServe("BELONGINGS_TLS_KEY is encrypted; the service has no password for it")
