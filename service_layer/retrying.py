"""Retrying a use case after a deadlock."""

from collections.abc import Callable
from functools import wraps
from time import sleep
from typing import ParamSpec, TypeVar

from service_layer.deadline import seconds_left
from service_layer.errors import Deadlock

_RETRY_DELAY = 0.1
"""Seconds in which waiting transactions get their locks; PostgreSQL would let an immediate retry go first."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def retry_on_deadlock(use_case: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run the whole use case again, once, if it raises ``Deadlock``: the first run left no changes.

    :param use_case: creates or loads every entity itself, so that the second run uses none from the first.
    """

    @wraps(use_case)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return use_case(*args, **kwargs)
        except Deadlock:
            sleep(min(_RETRY_DELAY, seconds_left()))
            return use_case(*args, **kwargs)

    return run
