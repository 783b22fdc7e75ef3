"""Lanes: threads set apart for one kind of work, so that no kind can keep another from being done."""

from asyncio import Future, TimerHandle, get_running_loop
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Any, Generic, ParamSpec, TypeVar

from domain.errors import OutcomeUnknown, StorageUnavailable
from service_layer.deadline import set_deadline
from service_layer.ports import Store

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_GROUP_MAX = 32
"""Jobs at most that are done together: more of them make each wait longer than they save."""

_GROUP_SECONDS = 0.1
"""Seconds of work after which a group is committed, however few they are: all of them wait for its end."""

_WORK_ENDS_AT = 0.9
"""The part of a deadline after which the work itself gives up, so that it can still say what came of it."""

_CHECK_DEADLINE = 0.75
"""Seconds: whoever asks whether the database is there is told within one."""


_CLOSE_TIMEOUT = 1.0
"""Seconds for work that nobody waits for any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long work may take, in seconds, and how much of it may wait.

    :param thread: to get a thread; without one by then it is refused, and does not begin.
    :param deadline: in all; then whoever asked is told, whatever the work is waiting for.
    :param queue: how much work may wait for a thread; what comes on top is refused at once.
    :param at_once: how much work somebody may wait for, begun or not; what comes on top is refused at once.
    :param work: for the work itself, once it has a thread; unset, until the deadline.
    """

    thread: float = 3.0
    deadline: float = 5.0
    queue: int = 1000
    at_once: float = inf
    work: float = inf


class _Job(Generic[Result]):
    """Work, and who waits for what comes of it."""

    __slots__ = ("_begun", "_context", "_limit", "_outcome", "_work", "ends", "loop", "result", "timer")

    timer: TimerHandle

    def __init__(self, work: Callable[[], Result], ends: float, limit: float) -> None:
        self._limit = limit
        self._work = work
        self._context = copy_context()  # in which the id of the request is, for what the work logs
        self.ends = ends
        self._begun = Lock()  # taken once: by the thread that does the work, or by whoever will not wait for it
        self.loop = get_running_loop()
        self.result: Future[Result] = self.loop.create_future()

    def do(self) -> bool:
        """Whether there was still something to do."""
        if not self._begun.acquire(blocking=False):
            return False
        set_deadline(min(self.ends, monotonic() + self._limit))
        try:
            self._outcome: tuple[Callable[[Any], None], object] = self.result.set_result, self._context.run(self._work)
        except BaseException as error:  # noqa: BLE001  # it belongs to whoever waits
            self.undo(error)
        return True

    def undo(self, error: BaseException) -> None:
        """What was done was not kept."""
        self._outcome = self.result.set_exception, error

    def deliver(self) -> None:
        """Give whoever waits what came of it."""
        with suppress(RuntimeError):  # the loop is closed: it took so long that nobody is there any more
            self.loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        end, what = self._outcome
        self.end(end, what)

    def end(self, set: Callable[[Any], None], what: object) -> None:
        if not self.result.done():
            set(what)

    def cancel(self) -> bool:
        """Whether it had not begun; then it will not."""
        return self._begun.acquire(blocking=False)


class ThreadPool:
    """Runs synchronous work in ``width`` threads; the rest waits, first come, first served.

    Python's own executor does the same for 14 µs more a request.

    :param changes: whether the work changes anything. Then nobody knows what comes of it once it is late.
    :param group_commit: keeps what is done in it when it ends, or fails. What waits when a thread comes free
        is then done in one such block, and nobody is told what came of it before its end.
    """

    def __init__(
        self,
        name: str,
        width: int,
        timeouts: Timeouts,
        *,
        changes: bool = False,
        group_commit: Callable[[], AbstractContextManager[None]] | None = None,
    ) -> None:
        self.name = name
        self._working: list[None] = []  # one for each thread: a number could not be changed by several at once
        self._deadline = timeouts.deadline
        self._wait = min(timeouts.thread, timeouts.deadline)
        self._queue = timeouts.queue
        self._limit = timeouts.work
        self._at_once = timeouts.at_once
        self._unanswered = 0
        self._late = OutcomeUnknown if changes else StorageUnavailable
        self._group_commit = group_commit
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._threads = [Thread(target=self._serve, name=f"{name} {n}", daemon=True) for n in range(width)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How much work waits for a thread; what was withdrawn counts until a thread has seen that."""
        return self._jobs.qsize()

    @property
    def busy(self) -> int:
        """How many threads are at work."""
        return len(self._working)

    async def run(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """What the work returns or raises.

        :raises StorageUnavailable: there was no thread for it in time, and it did not begin; or it takes too long.
        :raises OutcomeUnknown: it takes too long, and changes something: it may yet be done.
        """
        if self.waiting >= self._queue or self._unanswered >= self._at_once:
            raise StorageUnavailable("too many requests wait for the database")
        job = _Job(partial(work, *args, **kwargs), monotonic() + _WORK_ENDS_AT * self._deadline, self._limit)
        self._jobs.put(job)
        job.timer = job.loop.call_later(self._wait, self._refuse, job)
        self._unanswered += 1
        try:
            return await job.result
        finally:
            self._unanswered -= 1
            job.timer.cancel()
            job.cancel()

    def _refuse(self, job: _Job[Any]) -> None:
        if job.cancel():
            error = StorageUnavailable(f"no thread was free within {self._wait:g} s")
            job.end(job.result.set_exception, error)
        else:
            job.timer = job.loop.call_later(self._deadline - self._wait, self._give_up, job)

    def _give_up(self, job: _Job[Any]) -> None:
        job.end(job.result.set_exception, self._late(f"it took longer than {self._deadline:g} s"))

    def close(self, within: float = _CLOSE_TIMEOUT) -> None:
        """End the threads when they have done what is there to do; one that hangs is then left behind."""
        for _ in self._threads:
            self._jobs.put(None)
        until = monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))

    def _serve(self) -> None:
        while job := self._jobs.get():
            self._working.append(None)
            if self._group_commit is None or self._jobs.empty():
                if job.do():
                    job.deliver()
            else:
                self._do_group(job, self._group_commit)
            self._working.pop()

    def _do_group(self, first: _Job[Any], group_commit: Callable[[], AbstractContextManager[None]]) -> None:
        done: list[_Job[Any]] = []
        set_deadline(first.ends)
        try:
            with group_commit():
                for job in self._from(first):
                    if job.do():
                        done.append(job)
        except BaseException as error:  # noqa: BLE001  # it belongs to whoever waits
            if first.cancel():  # the block did not even begin
                done.append(first)
            for job in done:
                job.undo(error)
        for job in done:
            job.deliver()

    def _from(self, first: _Job[Any]) -> Iterator[_Job[Any]]:
        """This one and those that wait behind it, as many as may be done together."""
        until = monotonic() + _GROUP_SECONDS
        yield first
        with suppress(Empty):
            for _ in range(_GROUP_MAX - 1):
                if monotonic() > until:
                    return
                job = self._jobs.get_nowait()
                if job is None:  # it is what ends a thread
                    self._jobs.put(None)
                    return
                yield job


class ThreadPools:
    """The lanes of one process.

    ``reading`` and ``writing`` have so many threads each, or ``writing`` one where writers take turns, and
    ``hashing`` as many as there are processors: a password takes one of them, and 19 MiB, for 20 ms.
    ``scanning`` has few, for reads that would take a database for themselves.
    ``checking`` has a thread of its own, since it must tell that all the others wait.

    :param store: of which the lanes are; where it takes one writer at a time, writers that wait are kept together.
    :param threads: how many requests are served at once.
    :param scans: how many threads ``scanning`` has.
    """

    def __init__(
        self, store: Store, *, threads: int, processors: int, timeouts: Timeouts, scans: int, scan_timeouts: Timeouts
    ) -> None:
        self.reading = ThreadPool("reading", threads, timeouts)
        self.scanning = ThreadPool("scanning", scans, scan_timeouts)
        if store.one_writer:
            self.writing = ThreadPool("writing", 1, timeouts, changes=True, group_commit=store.group_commit)
        else:
            self.writing = ThreadPool("writing", threads, timeouts, changes=True)
        self.hashing = ThreadPool("hashing", processors, timeouts, changes=True)
        self.checking = ThreadPool("checking", 1, Timeouts(deadline=_CHECK_DEADLINE))

    def __iter__(self) -> Iterator[ThreadPool]:
        return iter((self.reading, self.scanning, self.writing, self.hashing, self.checking))

    def close(self) -> None:
        """End all threads. By now every request has its answer, and what is still being done is late already."""
        until = monotonic() + _CLOSE_TIMEOUT
        for thread_pool in self:
            thread_pool.close(until - monotonic())
