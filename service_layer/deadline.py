"""The deadline of the current request, per thread.

Thread pools set it before each job. Adapters that wait for a database wait no longer than it allows.
"""

from threading import local
from time import monotonic

DEFAULT_TIMEOUT = 10.0
"""Seconds for each wait in a thread without a deadline: at startup and in commands."""


class _Thread(local):
    deadline: float | None = None


_thread = _Thread()


def set_deadline(deadline: float | None) -> None:
    """Set the deadline of this thread, until the next call.

    :param deadline: in the time of ``time.monotonic``; None for no deadline.
    """
    _thread.deadline = deadline


def seconds_left() -> float:
    """The seconds until this thread's deadline; 0 once it has passed."""
    deadline = _thread.deadline
    return DEFAULT_TIMEOUT if deadline is None else max(0.0, deadline - monotonic())
