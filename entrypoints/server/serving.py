"""Listening, and serving until told to end."""

import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import uvicorn
from uvicorn.supervisors import ChangeReload

from entrypoints.server.connections import Bounds, Connection
from entrypoints.server.tls import TlsConfig, TlsConnection
from entrypoints.server.workers import Workers
from entrypoints.settings import Settings, access_log

_LAST_ANSWERS = 8
"""Seconds in which requests are answered once the service is to end; ten are promised in all."""

_SLOW_START = 30
"""Seconds in which a new worker takes the place of an old one, or the old one stays."""


class CannotServe(Exception):
    """The service cannot be reached as was asked for; the message is one line."""


def find_address(host: str, port: int, *, open_to_network: bool) -> tuple[socket.AddressFamily, Any]:
    """What to listen on. A name is looked up once, so that what is listened on is what was judged.

    :param open_to_network: whether other machines may call.
    :raises CannotServe: they could and may not, or there is no such host.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with _in_one_line(host, port):
        address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
    if not (open_to_network or ip_address(address[0]).is_loopback):
        raise CannotServe(
            f"{host} can be reached from other machines, and the service asks nobody to sign in: whoever calls may"
            " read and write everything. If that is meant, say --open-to-network or BELONGINGS_OPEN_TO_NETWORK=true"
        )
    return family, address


def listen(family: socket.AddressFamily, address: Any) -> socket.socket:
    """A socket that takes connections, before anything is there to answer them.

    :raises CannotServe: the address is taken, or is none of this machine.
    """
    with _in_one_line(*address[:2]):
        return socket.create_server(address, family=family, backlog=2048)


@contextmanager
def _in_one_line(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotServe(f"cannot listen on {host}:{port}: {str(error.strerror).partition(' (while')[0]}") from error


def check_tls(settings: Settings) -> str:
    """The scheme to be called by: ``https`` if there is a certificate that can be used.

    :raises CannotServe: a file is missing or not what it should be, or they do not belong together.
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


class _Server(uvicorn.Server):
    """Gives the database back after a second Ctrl-C too, which uvicorn ends at once for, with a traceback."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()


def run(
    listener: socket.socket, settings: Settings, *, workers: int, reload: bool, announce: Callable[[], None]
) -> None:
    """Serve until a signal ends it, also where this process was started with SIGINT ignored.

    :param announce: says that it listens; from here on no signal is lost.
    :raises SystemExit: it could not start, or a signal came early.
    """
    bounds = Bounds(
        head_wait=settings.head_wait, body_wait=settings.body_wait, connections=settings.connections, workers=workers
    )
    connection = TlsConnection if settings.tls_certificate else Connection
    config = TlsConfig(
        "entrypoints.server.workers:create_app" if reload or workers > 1 else "entrypoints.api.app:create_app",
        factory=True,
        http=cast(Any, partial(connection, bounds=bounds, log=access_log(settings))),  # uvicorn only calls it
        ws="none",
        workers=workers,
        reload=reload,
        log_config=None,  # ours is set up, here and by each worker
        log_level="warning",
        timeout_graceful_shutdown=_LAST_ANSWERS,
        timeout_worker_healthcheck=_SLOW_START,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(each) for each in settings.trusted_proxies or ()],
        root_path=settings.root_path or "",
    )
    config.get_loop_factory()  # loads it now: while its own coroutine waits for that, Ctrl-C would leave a warning
    server = _Server(config)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: sys.exit())
    if config.should_reload:
        announce()
        ChangeReload(config, target=server.run, sockets=[listener]).run()
    elif workers > 1:
        with TemporaryDirectory(prefix="belongings-metrics-") as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # in which the workers put their figures together
            supervisor = Workers(config, sockets=[listener])
            announce()
            supervisor.run()
    else:
        # not by an exception: where that is lost nothing would end; nor is it lost while the application starts
        signal.signal(signal.SIGINT, lambda *_: setattr(server, "should_exit", True))
        announce()
        server.run(sockets=[listener])  # raises the signal again when all is done
        if not server.started:
            sys.exit(1)
