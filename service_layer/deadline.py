"""Until when whoever asked for what this thread does will wait for it.

Lanes say so for each piece of work; adapters that wait for somebody else wait no longer.
"""

from threading import local
from time import monotonic

DEFAULT_TIMEOUT = 10.0
"""Seconds for each wait of a thread for which nobody waits: at a start, in a command."""


class _Thread(local):
    deadline: float | None = None


_thread = _Thread()


def set_deadline(moment: float | None) -> None:
    """For this thread, until the next call.

    :param moment: by ``time.monotonic``; None where nobody waits.
    """
    _thread.deadline = moment


def seconds_left() -> float:
    """How long this thread may wait for something; 0 once its time is up."""
    deadline = _thread.deadline
    return DEFAULT_TIMEOUT if deadline is None else max(0.0, deadline - monotonic())
