"""Worker processes, and the supervisor that starts and stops them."""

import logging
import os
import signal
import sys
from collections.abc import Iterable
from multiprocessing import active_children, parent_process
from multiprocessing.process import BaseProcess
from socket import socket
from threading import Thread
from time import monotonic, sleep

from fastapi import FastAPI
from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

_STOP_TIMEOUT = 9.2
"""Seconds for all workers to stop before they are killed."""

logger = logging.getLogger("belongings")


class Workers(Multiprocess):
    """Uvicorn's supervisor, but SIGTERM and SIGINT interrupt it at once, and workers that do not stop are killed.

    Uvicorn looks for signals only between two steps, each of which waits for a worker to start or to stop: with a
    worker that hangs, it waits for ever.
    """

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._stopping = False
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._interrupt)

    def run(self) -> None:
        """Supervise the workers until a signal.

        :raises SystemExit: always; with status 1 if a worker could not start, or had to be killed.
        """
        try:
            super().run()
        except SystemExit:
            pass
        finally:
            self._stopping = True
            all_stopped = _stop(active_children())
        failed = any(each.exitcode == STARTUP_FAILURE for each in self.processes)
        sys.exit(0 if all_stopped and not failed else 1)

    def terminate_all(self) -> None:
        """Do nothing: ``run`` stops all workers together."""

    join_all = terminate_all

    def restart_all(self) -> None:
        """Replace the workers one by one; kill each that does not stop."""
        for index, old in enumerate(self.processes):
            new = Process(self.config, self.sockets)
            new.start()
            if not new.wait_until_ready(self.config.timeout_worker_healthcheck):
                new.kill()
                new.join()
                logger.error("a new worker was not ready in time; aborting the restart")
                return
            _stop([old.process])
            old.join()
            self.processes[index] = new

    def _interrupt(self, *_: object) -> None:
        if not self._stopping:
            self.signal_queue.append(signal.SIGTERM)  # in case the exception is lost, as in a finalizer
            sys.exit()


def _stop(workers: Iterable[BaseProcess]) -> bool:
    """Stop the workers; return whether all stopped in time, so that none had to be killed."""
    deadline = monotonic() + _STOP_TIMEOUT
    for each in workers:
        each.terminate()
    for each in workers:
        each.join(max(0, deadline - monotonic()))
    alive = [each for each in workers if each.is_alive()]
    for each in alive:
        each.kill()
    return not alive


def create_app() -> FastAPI:
    """The application of a worker, which stops when its supervisor does, even if that was killed."""
    Thread(target=_stop_with_supervisor, daemon=True).start()
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)  # stop at once until the application is there
    try:
        from entrypoints.api import app  # not imported in the supervisor

        return app.create_app()
    finally:
        signal.signal(signal.SIGTERM, handler)


def _stop_with_supervisor() -> None:
    supervisor = parent_process()
    assert supervisor is not None
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(_STOP_TIMEOUT)
    os._exit(1)
