"""Lanes: threads set apart for one kind of work, so that no kind can keep another from being done."""

from collections.abc import Callable
from functools import partial
from math import inf
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, fail_after
from anyio.to_thread import run_sync

from domain.errors import StorageUnavailable

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Lane:
    """Runs synchronous work in at most ``width`` threads at once; the rest waits, first come, first served.

    :param wait: for how many seconds work waits for a thread before it is refused.
    """

    def __init__(self, width: int, *, wait: float) -> None:
        self._turns = CapacityLimiter(width)
        self._threads = CapacityLimiter(inf)
        self._wait = wait

    async def run(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """What the work returns or raises.

        :raises StorageUnavailable: there was no thread for it in time; it did not begin.
        """
        turn = object()
        try:
            with fail_after(self._wait):
                await self._turns.acquire_on_behalf_of(turn)
        except TimeoutError:
            raise StorageUnavailable("too many requests wait for the database") from None
        try:
            return await run_sync(partial(work, *args, **kwargs), limiter=self._threads)
        finally:
            self._turns.release_on_behalf_of(turn)


class Lanes:
    """The lanes of one process.

    ``reading`` is as wide as there are connections for reads, ``writing`` as there are for writes,
    and ``hashing`` as there are processors: a password takes one of them, and 19 MiB, for 20 ms.

    :param threads: how many requests are served at once.
    :param one_writer: whether the store takes one writer at a time.
    """

    def __init__(self, *, threads: int, one_writer: bool, processors: int, wait: float) -> None:
        self.reading = Lane(threads, wait=wait)
        self.writing = Lane(1 if one_writer else threads, wait=wait)
        self.hashing = Lane(processors, wait=wait)
