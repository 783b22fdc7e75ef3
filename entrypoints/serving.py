"""Listening, and serving until told to end."""

import socket
import sys
from typing import Any

import uvicorn
from uvicorn.supervisors import ChangeReload, Multiprocess

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(message)s"},
        "access": {
            "()": "uvicorn.logging.AccessFormatter",
            "fmt": '%(asctime)s %(levelname)s %(client_addr)s "%(request_line)s" %(status_code)s',
            "use_colors": False,
        },
    },
    "handlers": {
        "plain": {"class": "logging.StreamHandler", "formatter": "plain"},
        "access": {"class": "logging.StreamHandler", "formatter": "access"},
    },
    "loggers": {
        "belongings": {"handlers": ["plain"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["plain"], "level": "WARNING", "propagate": False},
        "uvicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
    },
}


class CannotServe(Exception):
    """The service cannot be reached as was asked for; the message is one line."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections, before anything is there to answer them.

    :raises CannotServe: the address is taken, or is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotServe(f"cannot listen on {host}:{port}: {str(error.strerror).partition(' (while')[0]}") from error


def run(listener: socket.socket, workers: int, reload: bool) -> None:
    """Serve until a signal ends it.

    :raises SystemExit: it could not start.
    """
    config = uvicorn.Config(
        "entrypoints.api.app:create_app",
        factory=True,
        workers=workers,
        reload=reload,
        log_config=LOGGING,
        timeout_graceful_shutdown=10,
    )
    server = uvicorn.Server(config)
    if config.should_reload:
        ChangeReload(config, target=server.run, sockets=[listener]).run()
    elif workers > 1:
        Multiprocess(config, sockets=[listener]).run()
    else:
        server.run(sockets=[listener])
        if not server.started:
            sys.exit(1)
