"""What Prometheus is told at ``/metrics``.

With several workers whichever is asked answers for all: each keeps its figures in files of a folder that they share
(prometheus_client's multiprocess mode). ``PROMETHEUS_MULTIPROC_DIR`` must name it before this module is loaded.
"""

import os
from asyncio import create_task, sleep
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock

from fastapi import Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from entrypoints.api.thread_pools import ThreadPools
from entrypoints.background_writer import dropped_lines
from entrypoints.logging import Access
from service_layer.ports import Store

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PAUSE = 1.0
"""Seconds after which a worker says anew, for whichever other one is asked, what is in use in it."""


class Metrics:
    """The figures of one application."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types
        self._folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._own = own = CollectorRegistry()
        self._durations = Histogram(
            "belongings_request_duration_seconds",
            "Seconds from the head of a request to the end of its answer.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=own,
        )
        self._in_use = _gauge("belongings_connections_in_use", "Connections to the database in use.", "pool", own)
        self._wanted = _gauge("belongings_connections_waiting", "Threads that wait for a connection.", "pool", own)
        self._busy = _gauge("belongings_threads_busy", "Threads at work.", "pool", own)
        self._queued = _gauge("belongings_threads_waiting", "Requests that wait for a thread.", "pool", own)
        self._dropped = Counter(
            "belongings_log_lines_dropped", "Lines of the log that were not read in time.", registry=own
        )
        self._dropped_before = dropped_lines()
        self._dropping = Lock()
        self._known: dict[tuple[str, str, int | str | None], Callable[[float], None]] = {}
        self._look: Callable[[], None] = lambda: None

    def count(self, access: Access) -> None:
        """Count a request."""
        labels = (access.method, access.route, "aborted" if access.aborted else access.status)
        observe = self._known.get(labels)
        if observe is None:
            observe = self._known[labels] = self._durations.labels(*labels).observe
        observe(access.seconds)

    @asynccontextmanager
    async def watching(self, store: Store, thread_pools: ThreadPools) -> AsyncIterator[None]:
        """Look at what is in use whenever somebody asks."""

        def look() -> None:
            for pool, use in store.connections.items():
                self._in_use.labels(pool).set(use.in_use)
                self._wanted.labels(pool).set(use.waiting)
            for thread_pool in thread_pools:
                self._busy.labels(thread_pool.name).set(thread_pool.busy)
                self._queued.labels(thread_pool.name).set(thread_pool.waiting)
            with self._dropping:  # two may look at once
                dropped = dropped_lines()
                self._dropped.inc(dropped - self._dropped_before)
                self._dropped_before = dropped

        async def keep_looking() -> None:
            while True:
                look()
                await sleep(_PAUSE)

        self._look = look
        task = create_task(keep_looking()) if self._folder else None
        try:
            yield
        finally:
            if task:
                task.cancel()

    def answer(self, request: Request) -> Response:
        """All of it, in the format that is asked for. It takes a thread of its own."""
        self._look()
        registry = self._own
        if self._folder:
            _forget_the_dead(Path(self._folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]  # it has no types
        encode, media_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), headers={"Content-Type": media_type})


def _gauge(name: str, meaning: str, label: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, meaning, (label,), registry=registry, multiprocess_mode="livesum")


def _forget_the_dead(folder: Path) -> None:
    """What a worker had in use when it was killed is not in use any more; what it counted still counts."""
    for file in folder.glob("gauge_livesum_*.db"):
        process = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)
        except OSError:
            file.unlink(missing_ok=True)
