"""Lanes: threads set apart for one kind of work, so that no kind can keep another from being done."""

from asyncio import Future, TimerHandle, get_running_loop
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Any, Generic, ParamSpec, TypeVar

from domain.errors import OutcomeUnknown, StorageUnavailable
from service_layer.deadline import set_deadline

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


_WORK_ENDS_AT = 0.9
"""The part of a deadline after which the work itself gives up, so that it can still say what came of it."""

_CHECK_DEADLINE = 0.9
"""Seconds: whoever asks whether the database is there is told within one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long work may take, in seconds, and how much of it may wait.

    :param thread: to get a thread; without one by then it is refused, and does not begin.
    :param deadline: in all; then whoever asked is told, whatever the work is waiting for.
    :param queue: how much work may wait for a thread; what comes on top is refused at once.
    """

    thread: float = 3.0
    deadline: float = 5.0
    queue: int = 1000


class _Job(Generic[Result]):
    """Work, and who waits for what comes of it."""

    __slots__ = ("_begun", "_ends", "_work", "loop", "result", "timer")

    timer: TimerHandle

    def __init__(self, work: Callable[[], Result], ends: float) -> None:
        self._work = work
        self._ends = ends
        self._begun = Lock()  # taken once: by the thread that does the work, or by whoever will not wait for it
        self.loop = get_running_loop()
        self.result: Future[Result] = self.loop.create_future()

    def do(self) -> None:
        if not self._begun.acquire(blocking=False):
            return
        set_deadline(self._ends)
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001  # it belongs to whoever waits
            self.loop.call_soon_threadsafe(self.end, self.result.set_exception, error)
        else:
            self.loop.call_soon_threadsafe(self.end, self.result.set_result, result)

    def end(self, set: Callable[[Any], None], what: object) -> None:
        if not self.result.done():
            set(what)

    def withdraw(self) -> bool:
        """Whether it had not begun; then it will not."""
        return self._begun.acquire(blocking=False)


class Lane:
    """Runs synchronous work in ``width`` threads; the rest waits, first come, first served.

    Python's own executor does the same for 14 µs more a request.

    :param changes: whether the work changes anything. Then nobody knows what comes of it once it is late.
    """

    def __init__(self, name: str, width: int, patience: Patience, *, changes: bool = False) -> None:
        self._deadline = patience.deadline
        self._wait = min(patience.thread, patience.deadline)
        self._queue = patience.queue
        self._late = OutcomeUnknown if changes else StorageUnavailable
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._threads = [Thread(target=self._serve, name=f"{name} {n}", daemon=True) for n in range(width)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How much work waits for a thread; what was withdrawn counts until a thread has seen that."""
        return self._jobs.qsize()

    async def run(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """What the work returns or raises.

        :raises StorageUnavailable: there was no thread for it in time, and it did not begin; or it takes too long.
        :raises OutcomeUnknown: it takes too long, and changes something: it may yet be done.
        """
        if self.waiting >= self._queue:
            raise StorageUnavailable("too many requests wait for the database")
        job = _Job(partial(work, *args, **kwargs), monotonic() + _WORK_ENDS_AT * self._deadline)
        self._jobs.put(job)
        job.timer = job.loop.call_later(self._wait, self._refuse, job)
        try:
            return await job.result
        finally:
            job.timer.cancel()
            job.withdraw()

    def _refuse(self, job: _Job[Any]) -> None:
        if job.withdraw():
            error = StorageUnavailable(f"no thread was free within {self._wait:g} s")
            job.end(job.result.set_exception, error)
        else:
            job.timer = job.loop.call_later(self._deadline - self._wait, self._give_up, job)

    def _give_up(self, job: _Job[Any]) -> None:
        job.end(job.result.set_exception, self._late(f"it took longer than {self._deadline:g} s"))

    def close(self) -> None:
        """End the threads when they have done what is there to do; one that hangs is left behind."""
        for _ in self._threads:
            self._jobs.put(None)
        until = monotonic() + self._deadline
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))

    def _serve(self) -> None:
        while job := self._jobs.get():
            job.do()


class Lanes:
    """The lanes of one process.

    ``reading`` is as wide as there are connections for reads, ``writing`` as there are for writes,
    and ``hashing`` as there are processors: a password takes one of them, and 19 MiB, for 20 ms.
    ``checking`` has a thread of its own, since it must tell that all the others wait.

    :param threads: how many requests are served at once.
    :param one_writer: whether the store takes one writer at a time.
    """

    def __init__(self, *, threads: int, one_writer: bool, processors: int, patience: Patience) -> None:
        self.reading = Lane("reading", threads, patience)
        self.writing = Lane("writing", 1 if one_writer else threads, patience, changes=True)
        self.hashing = Lane("hashing", processors, patience, changes=True)
        self.checking = Lane("checking", 1, Patience(deadline=_CHECK_DEADLINE))

    def close(self) -> None:
        for lane in (self.reading, self.writing, self.hashing, self.checking):
            lane.close()
