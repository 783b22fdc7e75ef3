"""Metrics for Prometheus, at ``/metrics``.

With several workers, any of them answers for all: each stores its metrics in files in a shared folder
(prometheus_client's multiprocess mode). ``PROMETHEUS_MULTIPROC_DIR`` must name it before this module is imported.
"""

import os
from asyncio import Task, create_task, shield, sleep
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock

from fastapi import Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.concurrency import run_in_threadpool

from entrypoints.api.thread_pools import ThreadPools
from entrypoints.background_writer import dropped_lines
from entrypoints.logging import Access
from service_layer.ports import Store

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_UPDATE_INTERVAL = 1.0
"""Seconds between updates of the gauges of a worker, when other workers answer for it."""


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types
        self._folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._registry = registry = CollectorRegistry()
        self._durations = Histogram(
            "belongings_request_duration_seconds",
            "Seconds from the head of a request to the end of its response.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._connections_in_use = _gauge("belongings_connections_in_use", "Database connections in use.", registry)
        self._connections_waiting = _gauge(
            "belongings_connections_waiting", "Threads that wait for a connection.", registry
        )
        self._threads_busy = _gauge("belongings_threads_busy", "Threads that run a job.", registry)
        self._threads_waiting = _gauge("belongings_threads_waiting", "Requests that wait for a thread.", registry)
        self._dropped = Counter("belongings_log_lines_dropped", "Log lines that were dropped.", registry=registry)
        self._dropped_before = dropped_lines()
        self._lock = Lock()
        self._observers: dict[tuple[str, str, int | str | None], Callable[[float], None]] = {}
        self._encodings: dict[str, Task[bytes]] = {}
        self._update: Callable[[], None] = lambda: None

    def count(self, access: Access) -> None:
        """Count a request."""
        labels = (access.method, access.route, "aborted" if access.aborted else access.status)
        observe = self._observers.get(labels)
        if observe is None:
            observe = self._observers[labels] = self._durations.labels(*labels).observe
        observe(access.seconds)

    @asynccontextmanager
    async def collecting(self, store: Store, thread_pools: ThreadPools) -> AsyncIterator[None]:
        """Collect the use of connections and threads for each response, while the block runs."""

        def update() -> None:
            for pool, use in store.connections.items():
                self._connections_in_use.labels(pool).set(use.in_use)
                self._connections_waiting.labels(pool).set(use.waiting)
            for thread_pool in thread_pools:
                self._threads_busy.labels(thread_pool.name).set(thread_pool.busy)
                self._threads_waiting.labels(thread_pool.name).set(thread_pool.waiting)
            with self._lock:
                dropped = dropped_lines()
                self._dropped.inc(dropped - self._dropped_before)
                self._dropped_before = dropped

        async def update_periodically() -> None:
            while True:
                update()
                await sleep(_UPDATE_INTERVAL)

        self._update = update
        task = create_task(update_periodically()) if self._folder else None
        try:
            yield
        finally:
            if task:
                task.cancel()

    async def respond(self, request: Request) -> Response:
        """All metrics, in the format that the client accepts. Simultaneous requests share one result."""
        encode, media_type = choose_encoder(request.headers.get("Accept", ""))
        encoding = self._encodings.get(media_type)
        if encoding is None or encoding.done():
            encoding = self._encodings[media_type] = create_task(run_in_threadpool(self._encode, encode))
        return Response(await shield(encoding), headers={"Content-Type": media_type})

    def _encode(self, encode: Callable[[CollectorRegistry], bytes]) -> bytes:
        self._update()
        registry = self._registry
        if self._folder:
            _remove_gauges_of_dead_processes(Path(self._folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]  # it has no types
        return encode(registry)


def _gauge(name: str, documentation: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, documentation, ("pool",), registry=registry, multiprocess_mode="livesum")


def _remove_gauges_of_dead_processes(folder: Path) -> None:
    """Remove the gauges of workers that were killed. Their counters and histograms stay."""
    for file in folder.glob("gauge_livesum_*.db"):
        process = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)
        except OSError:
            file.unlink(missing_ok=True)
