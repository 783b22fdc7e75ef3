"""Lanes: threads set apart for one kind of work, so that no kind can keep another from being done."""

from asyncio import Future, get_running_loop
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, ParamSpec, TypeVar

from domain.errors import StorageUnavailable

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class _Job(Generic[Result]):
    """Work, and who waits for what comes of it."""

    __slots__ = ("_begun", "_loop", "_work", "result")

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._begun = Lock()  # taken once: by the thread that does the work, or by whoever will not wait for it
        self._loop = get_running_loop()
        self.result: Future[Result] = self._loop.create_future()

    def do(self) -> None:
        if not self._begun.acquire(blocking=False):
            return
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001  # it belongs to whoever waits
            self._loop.call_soon_threadsafe(self._end, self.result.set_exception, error)
        else:
            self._loop.call_soon_threadsafe(self._end, self.result.set_result, result)

    def _end(self, set: Callable[[Any], None], what: object) -> None:
        if not self.result.done():
            set(what)

    def withdraw(self) -> bool:
        """Whether it had not begun; then it will not."""
        return self._begun.acquire(blocking=False)

    def refuse(self) -> None:
        if self.withdraw() and not self.result.done():
            self.result.set_exception(StorageUnavailable("too many requests wait for the database"))


class Lane:
    """Runs synchronous work in ``width`` threads; the rest waits, first come, first served.

    Python's own executor does the same for 14 µs more a request.

    :param wait: for how many seconds work waits for a thread before it is refused.
    """

    def __init__(self, name: str, width: int, *, wait: float) -> None:
        self._wait = wait
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._threads = [Thread(target=self._serve, name=f"{name} {n}", daemon=True) for n in range(width)]
        for thread in self._threads:
            thread.start()

    async def run(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """What the work returns or raises.

        :raises StorageUnavailable: there was no thread for it in time; it did not begin.
        """
        job = _Job(partial(work, *args, **kwargs))
        self._jobs.put(job)
        patience = get_running_loop().call_later(self._wait, job.refuse)
        try:
            return await job.result
        finally:
            patience.cancel()
            job.withdraw()

    def close(self) -> None:
        """End the threads when they have done what is there to do."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while job := self._jobs.get():
            job.do()


class Lanes:
    """The lanes of one process.

    ``reading`` is as wide as there are connections for reads, ``writing`` as there are for writes,
    and ``hashing`` as there are processors: a password takes one of them, and 19 MiB, for 20 ms.

    :param threads: how many requests are served at once.
    :param one_writer: whether the store takes one writer at a time.
    """

    def __init__(self, *, threads: int, one_writer: bool, processors: int, wait: float) -> None:
        self.reading = Lane("reading", threads, wait=wait)
        self.writing = Lane("writing", 1 if one_writer else threads, wait=wait)
        self.hashing = Lane("hashing", processors, wait=wait)

    def close(self) -> None:
        for lane in (self.reading, self.writing, self.hashing):
            lane.close()
