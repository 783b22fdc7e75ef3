"""Running uvicorn with the project's own connections, in one process or several, until a signal stops it."""

import atexit
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any, cast

import uvicorn
from uvicorn.supervisors import ChangeReload

from entrypoints.server.connections import Connection, ConnectionLimits
from entrypoints.server.tls import TlsConfig, TlsConnection
from entrypoints.server.workers import Workers
from entrypoints.settings import Settings, access_log

ACCEPTS_PER_TURN = 16
"""Connections that a process accepts in one turn of the event loop. uvloop accepts only one from each listening socket,
so it gets that many duplicates of the same one. Each of them costs about 1 µs per new connection."""

_SHUTDOWN_TIMEOUT = 8
"""Seconds for running requests to finish after a signal; the whole shutdown takes at most ten."""

_WORKER_START_TIMEOUT = 30
"""Seconds for a new worker to start before it replaces an old one."""


def run(
    listener: socket.socket, settings: Settings, *, workers: int, reload: bool, announce: Callable[[], None]
) -> None:
    """Serve until SIGINT or SIGTERM, even if this process was started with SIGINT ignored.

    :param announce: called once signals are handled, to print the address.
    :raises SystemExit: the application could not start, or a signal came before it had started.
    """
    limits = ConnectionLimits(
        head_wait=settings.head_wait, body_wait=settings.body_wait, connections=settings.connections, workers=workers
    )
    connection = TlsConnection if settings.tls_certificate else Connection
    config = TlsConfig(
        "entrypoints.server.workers:create_app" if reload or workers > 1 else "entrypoints.api.app:create_app",
        factory=True,
        http=cast(Any, partial(connection, limits=limits, log=access_log(settings))),
        ws="none",
        workers=workers,
        reload=reload,
        log_config=None,  # set up by entrypoints.logging, here and in each worker
        log_level="warning",
        timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
        timeout_worker_healthcheck=_WORKER_START_TIMEOUT,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(each) for each in settings.trusted_proxies or ()],
        root_path=settings.root_path or "",
        server_header=False,
    )
    config.get_loop_factory()  # imports the loop now: a Ctrl-C during that import later would leave a warning
    server = uvicorn.Server(config)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: sys.exit())
        atexit.register(signal.signal, each, signal.SIG_IGN)  # Python restores the default handler before it ends
    with ExitStack() as duplicates:
        sockets = [listener, *(duplicates.enter_context(listener.dup()) for _ in range(ACCEPTS_PER_TURN - 1))]
        if config.should_reload:
            announce()
            ChangeReload(config, target=server.run, sockets=sockets).run()
        elif workers > 1:
            with TemporaryDirectory(prefix="belongings-metrics-") as folder:
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # where the workers share their metrics
                supervisor = Workers(config, sockets=sockets)
                announce()
                supervisor.run()
        else:
            # set a flag instead of raising: an exception can get lost, and the flag works during the start too
            signal.signal(signal.SIGINT, lambda *_: setattr(server, "should_exit", True))
            announce()
            server.run(sockets=sockets)  # raises the signal again after the shutdown
            if not server.started:
                sys.exit(1)
