"""Several processes that serve, and the supervisor that starts and ends them."""

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

_TIME_TO_END = 9.2
"""Seconds for all workers to end before they are killed."""


class Workers(Multiprocess):
    """Uvicorn's supervisor, which by itself notices a signal only between two steps of its work.

    Such a step lasts until a worker has started, or has ended; of one that hangs it would wait for ever. SIGTERM and
    SIGINT interrupt this supervisor wherever it is, and what has not ended in time is killed.
    """

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._ending = False
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._interrupt)

    def run(self) -> None:
        """Supervise until a signal ends it.

        :raises SystemExit: it is over; with status 1 if a worker could not start, or had to be killed.
        """
        try:
            super().run()
        except SystemExit:
            pass
        finally:
            self._ending = True
            in_time = _end(active_children())
        failed = any(each.exitcode == STARTUP_FAILURE for each in self.processes)
        sys.exit(0 if in_time and not failed else 1)

    def terminate_all(self) -> None:
        """Do nothing: all that run are ended together, at the end of ``run``."""

    join_all = terminate_all

    def _interrupt(self, *_: object) -> None:
        if not self._ending:
            self.signal_queue.append(signal.SIGTERM)  # the exception is lost if a finalizer is what it interrupts
            sys.exit()


def _end(workers: Iterable[BaseProcess]) -> bool:
    """Whether all of them end in time; those that do not are killed."""
    deadline = monotonic() + _TIME_TO_END
    for each in workers:
        each.terminate()
    for each in workers:
        each.join(max(0, deadline - monotonic()))
    late = [each for each in workers if each.is_alive()]
    for each in late:
        each.kill()
    return not late


def create_app() -> FastAPI:
    """The application in a worker, which ends when its supervisor does, also if that is killed."""
    Thread(target=_end_with_supervisor, daemon=True).start()
    at_the_end = signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing is served yet, so it may end at once
    try:
        from entrypoints.api import app  # the supervisor does without

        return app.create_app()
    finally:
        signal.signal(signal.SIGTERM, at_the_end)


def _end_with_supervisor() -> None:
    supervisor = parent_process()
    assert supervisor is not None
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(_TIME_TO_END)
    os._exit(1)
