"""Doing a use case once more that the database has undone to end a deadlock."""

from collections.abc import Callable
from functools import wraps
from time import sleep
from typing import ParamSpec, TypeVar

from service_layer.deadline import seconds_left
from service_layer.errors import Deadlock

_PAUSE = 0.1
"""Seconds in which those who were waiting get the locks; PostgreSQL lets whoever comes at once go before them."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def retry_on_deadlock(use_case: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run the whole use case again after a deadlock, once: nothing of the first run was kept.

    :param use_case: makes or loads every entity itself, so that a second run has none of the first one's.
    """

    @wraps(use_case)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return use_case(*args, **kwargs)
        except Deadlock:
            sleep(min(_PAUSE, seconds_left()))
            return use_case(*args, **kwargs)

    return run
