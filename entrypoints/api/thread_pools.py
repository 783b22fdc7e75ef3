"""Bounded thread pools, one for each kind of work, so that no kind of work can starve another (bulkheads)."""

from asyncio import Future, TimerHandle, get_running_loop
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Any, Generic, ParamSpec, TypeVar

from service_layer.deadline import set_deadline
from service_layer.errors import Busy, OutcomeUnknown, StorageUnavailable
from service_layer.ports import Store
from service_layer.scans import forbid_scans

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_GROUP_MAX = 32
"""The most jobs in one group commit. Larger groups add more latency than they save."""

_GROUP_SECONDS = 0.1
"""Seconds after which a group commits, however small it is: every job in it waits for the commit."""

_WORK_ENDS_AT = 0.9
"""The fraction of a deadline after which the work itself gives up, while there is still time to report the outcome."""

_SHARES = {"writing": 0.3, "listing": 0.2, "scanning": 0.2, "hashing": 0.15, "batches": 0.05}
"""The share of all concurrent requests that each kind of work may have. The last tenth is for reads of single resources
only, so that they do not get a 503 because of other work."""

_CHECK_DEADLINE = 0.75
"""Seconds for a readiness check, which is answered within one second."""

_CLOSE_TIMEOUT = 1.0
"""Seconds to wait at shutdown for work whose caller has gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long work may take, in seconds, and how much of it may wait.

    :param thread: to get a thread; work that has none by then is refused and does not start.
    :param deadline: in all; then the caller gets an error, even if the work still runs.
    :param work: for the work itself, once it has a thread; by default until the deadline.
    :param max_queued: jobs that may wait for a thread; further ones are refused at once.
    :param max_pending: requests that are queued or running; further ones are refused at once.
    """

    thread: float = 3.0
    deadline: float = 5.0
    work: float = inf
    max_queued: int = 1000
    max_pending: float = inf


class _Job(Generic[Result]):
    """A function to run in a thread, and the future that its caller awaits."""

    __slots__ = ("_begun", "_context", "_limit", "_outcome", "_work", "ends", "loop", "result", "timer")

    timer: TimerHandle

    def __init__(self, work: Callable[[], Result], ends: float, limit: float) -> None:
        self._limit = limit
        self._work = work
        self._context = copy_context()  # it has the request id for log records
        self.ends = ends
        self._begun = Lock()  # acquired once: by the thread that runs the job, or by the one that cancels it
        self.loop = get_running_loop()
        self.result: Future[Result] = self.loop.create_future()

    def run(self) -> bool:
        """Run the work; return False if the job was cancelled."""
        if not self._begun.acquire(blocking=False):
            return False
        set_deadline(min(self.ends, monotonic() + self._limit))
        try:
            self._outcome: tuple[Callable[[Any], None], object] = self.result.set_result, self._context.run(self._work)
        except BaseException as error:  # noqa: BLE001  # it is raised in the caller
            self.fail(error)
        return True

    def fail(self, error: BaseException) -> None:
        """Make the outcome this error."""
        self._outcome = self.result.set_exception, error

    def deliver(self) -> None:
        """Hand the outcome to the caller, on its event loop."""
        with suppress(RuntimeError):  # the loop is closed: the caller has gone
            self.loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self.resolve(*self._outcome)

    def resolve(self, set: Callable[[Any], None], outcome: object) -> None:
        """Set the result of the future, unless it has one."""
        if not self.result.done():
            set(outcome)

    def cancel(self) -> bool:
        """Keep the job from starting; return False if it has started already."""
        return self._begun.acquire(blocking=False)


class ThreadPool:
    """Runs functions in ``width`` threads, first come, first served.

    Python's ``ThreadPoolExecutor`` does the same for 14 µs more a request.

    :param changes: whether the work writes. If it is late, its outcome is unknown.
    :param may_scan: False to let reads that turn out to be scans raise ``ScanRequired``.
    :param group_commit: commits everything done in its block at the end of the block. Jobs that wait when a thread
        becomes free run in one such block, and their outcomes are delivered after it.
    """

    def __init__(
        self,
        name: str,
        width: int,
        timeouts: Timeouts,
        *,
        changes: bool = False,
        may_scan: bool = True,
        group_commit: Callable[[], AbstractContextManager[None]] | None = None,
    ) -> None:
        self.name = name
        self._working: list[
            None
        ] = []  # one entry a busy thread; unlike a counter, threads can change a list without a lock
        self._timeouts = timeouts
        self._deadline = timeouts.deadline
        self._wait = min(timeouts.thread, timeouts.deadline)
        self._pending = 0
        self._late = OutcomeUnknown if changes else StorageUnavailable
        self._may_scan = may_scan
        self._group_commit = group_commit
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._threads = [Thread(target=self._serve, name=f"{name} {n}", daemon=True) for n in range(width)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that wait for a thread. A cancelled one counts until a thread has seen that it is."""
        return self._jobs.qsize()

    @property
    def busy(self) -> int:
        """Threads that are running a job."""
        return len(self._working)

    def run(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Coroutine[Any, Any, Result]:
        """Run the work in a thread; return or raise what it does.

        :raises Busy: no thread was free in time, or too many requests wait, and the work did not start.
        :raises StorageUnavailable: it takes too long.
        :raises OutcomeUnknown: the work writes and takes too long; it may still finish.
        """
        return self.run_since(monotonic(), partial(work, *args, **kwargs))

    async def run_since(self, start: float, work: Callable[[], Result], *, is_request: bool = True) -> Result:
        """Run the work as if ``run`` had been called at this time of ``time.monotonic``.

        :param is_request: False for work of the service itself, which waits however many requests wait.
        """
        is_full = self.waiting >= self._timeouts.max_queued or self._pending >= self._timeouts.max_pending
        if is_request and is_full:
            raise Busy("too many requests wait for the database")
        job = _Job(work, start + _WORK_ENDS_AT * self._deadline, self._timeouts.work)
        self._jobs.put(job)
        job.timer = job.loop.call_later(self._wait + start - monotonic(), self._refuse, job)
        self._pending += 1
        try:
            return await job.result
        finally:
            self._pending -= 1
            job.timer.cancel()
            job.cancel()

    def _refuse(self, job: _Job[Any]) -> None:
        if job.cancel():
            job.resolve(job.result.set_exception, Busy(f"no thread was free within {self._wait:g} s"))
        else:
            job.timer = job.loop.call_later(self._deadline - self._wait, self._give_up, job)

    def _give_up(self, job: _Job[Any]) -> None:
        job.resolve(job.result.set_exception, self._late(f"it took longer than {self._deadline:g} s"))

    def close(self, within: float = _CLOSE_TIMEOUT) -> None:
        """End the threads once the queue is empty; a thread that hangs is left behind."""
        for _ in self._threads:
            self._jobs.put(None)
        until = monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))

    def _serve(self) -> None:
        if not self._may_scan:
            forbid_scans()
        while job := self._jobs.get():
            self._working.append(None)
            if self._group_commit is None or self._jobs.empty():
                if job.run():
                    job.deliver()
            else:
                self._run_group(job, self._group_commit)
            del job  # and its outcome, which may be large: it may be long until the next job
            self._working.pop()

    def _run_group(self, first: _Job[Any], group_commit: Callable[[], AbstractContextManager[None]]) -> None:
        done: list[_Job[Any]] = []
        set_deadline(first.ends)
        try:
            with group_commit():
                for job in self._group(first):
                    if job.run():
                        done.append(job)
        except BaseException as error:  # noqa: BLE001  # it is raised in the caller
            if first.cancel():  # the block did not start
                done.append(first)
            for job in done:
                job.fail(error)
        for job in done:
            job.deliver()

    def _group(self, first: _Job[Any]) -> Iterator[_Job[Any]]:
        """This job and the ones queued behind it, as many as fit in one group."""
        until = monotonic() + _GROUP_SECONDS
        yield first
        with suppress(Empty):
            for _ in range(_GROUP_MAX - 1):
                if monotonic() > until:
                    return
                job = self._jobs.get_nowait()
                if job is None:  # the signal to end a thread
                    self._jobs.put(None)
                    return
                yield job


class ThreadPools:
    """The thread pools of one process.

    ``reading``, ``listing`` and ``writing`` have ``threads`` threads each; ``writing`` has one if the store takes one
    writer at a time, and commits waiting writers together. ``listing`` is for lists: a page can take as long as 100
    single resources. ``scanning`` has few, for reads that could keep a database busy by themselves, and ``batches``
    has one, for writes that take as long as a thousand others. ``hashing`` has one a processor: a password takes one of
    them, and 19 MiB, for 20 ms. ``checking`` has one, for readiness checks while all other pools are busy.

    :param requests: the most requests in progress at once; each pool but ``reading`` may have a part of them.
    :param scans: threads of ``scanning``.
    """

    def __init__(
        self,
        store: Store,
        *,
        threads: int,
        processors: int,
        requests: int,
        timeouts: Timeouts,
        scans: int,
        scan_timeouts: Timeouts,
        batch_timeouts: Timeouts,
    ) -> None:

        def share(pool: str, timeouts: Timeouts) -> Timeouts:
            return replace(timeouts, max_pending=max(1, int(requests * _SHARES[pool])))

        self.reading = ThreadPool("reading", threads, timeouts, may_scan=False)
        self.listing = ThreadPool("listing", threads, share("listing", timeouts), may_scan=False)
        self.scanning = ThreadPool("scanning", scans, share("scanning", scan_timeouts))
        writing = share("writing", timeouts)
        if store.single_writer:
            self.writing = ThreadPool("writing", 1, writing, changes=True, group_commit=store.group_commit)
        else:
            self.writing = ThreadPool("writing", threads, writing, changes=True)
        self.batches = ThreadPool("batches", 1, share("batches", batch_timeouts), changes=True)
        self.hashing = ThreadPool("hashing", processors, share("hashing", timeouts), changes=True)
        self.checking = ThreadPool("checking", 1, Timeouts(deadline=_CHECK_DEADLINE))

    def __iter__(self) -> Iterator[ThreadPool]:
        pools = self.reading, self.listing, self.scanning, self.writing, self.batches, self.hashing, self.checking
        return iter(pools)

    def close(self) -> None:
        """End all threads. Every request has been answered by now; work that still runs is late."""
        until = monotonic() + _CLOSE_TIMEOUT
        for thread_pool in self:
            thread_pool.close(until - monotonic())
