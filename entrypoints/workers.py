"""Several processes that serve, and the one that watches over them."""

import os
import signal
from multiprocessing import active_children
from socket import socket
from threading import Thread
from time import sleep

from uvicorn import Config
from uvicorn.supervisors import Multiprocess

_PATIENCE = 9.5
"""Seconds for all of them to end."""


class Workers(Multiprocess):
    """Uvicorn's own, which by itself hears SIGTERM only once a restart is over, and waits for ever for a worker.

    This one passes SIGTERM on at once, and kills what has not ended in time.
    """

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        # not in the handler itself: an event must not be set in the middle of being waited for
        signal.signal(signal.SIGTERM, lambda *_: Thread(target=self._end, daemon=True).start())

    def _end(self) -> None:
        self.should_exit.set()
        for child in active_children():
            child.terminate()
        sleep(_PATIENCE)
        for child in active_children():
            child.kill()
        os._exit(1)
