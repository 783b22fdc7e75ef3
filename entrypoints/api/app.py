"""The HTTP API: ``uvicorn --factory entrypoints.api.app:create_app``"""

import ctypes
import gc
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from math import ceil
from typing import Any

from anyio.to_thread import run_sync
from fastapi import FastAPI

from entrypoints.api.documentation_pages import documented_app
from entrypoints.api.http.no_route import NoRoute
from entrypoints.api.http.openapi import document, operation_id
from entrypoints.api.http.passwords import RateLimitHeadersMiddleware
from entrypoints.api.http.problems import add_problem_handlers
from entrypoints.api.http.unsent import UnsentBytes
from entrypoints.api.metrics import Metrics
from entrypoints.api.middleware.browser_guard import BrowserGuardMiddleware
from entrypoints.api.middleware.cors import CorsMiddleware
from entrypoints.api.middleware.head import HeadMiddleware
from entrypoints.api.middleware.request_context import RequestContextMiddleware, internal_server_error
from entrypoints.api.middleware.request_limits import RequestLimitsMiddleware
from entrypoints.api.middleware.response_limits import ResponseLimitsMiddleware
from entrypoints.api.purging import purging
from entrypoints.api.routers import health, items, users
from entrypoints.api.routing import RouteTable
from entrypoints.api.thread_pools import ThreadPools, Timeouts
from entrypoints.api.tracing import telemetry
from entrypoints.background_writer import flush_stderr
from entrypoints.container import Container, build_container
from entrypoints.logging import configure
from entrypoints.settings import WrongSetting, access_log, load_settings, processors
from service_layer.errors import SchemaMismatch, SchemaNewer, StorageUnavailable

logger = logging.getLogger("belongings")

_GC_THRESHOLD = 20_000
"""New objects after which Python collects garbage. By default it does after 700 (2,000 from 3.13): three times during a
list of users, mostly without finding any, which took a tenth of all time."""

_M_MMAP_THRESHOLD = -3
"""The number of this option in glibc's ``malloc.h``."""

_MMAP_THRESHOLD = 256 * 1024
"""Bytes from which a buffer is returned to the system when it is freed."""

_SWITCH_INTERVAL = 0.001
"""Seconds after which a thread must release the GIL to one that waits. Python's default of 5 ms is longer than nearly
all requests take; while threads encoded large responses, each step of the event loop waited that long."""

_DESCRIPTION = """Keeps users and the items they own.

Every list is bounded: follow `Link` for the next page. Every error is a problem (RFC 9457).
"""


def create_app(container: Container | None = None) -> FastAPI:
    """Create the application. Its container is in ``app.state.container``.

    :param container: by default, one is built from the settings.
    :raises SystemExit: a setting is not valid.
    """
    if container is None:
        try:
            container = build_container(load_settings())
        except WrongSetting as error:
            raise SystemExit(f"belongings: {error}") from None
        # Without a container, the process has no other purpose. What is loaded by now stays: exempt it from garbage
        # collection, which otherwise paused for 45 ms at a time and made the slowest 1 % of all reads.
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        sys.setswitchinterval(_SWITCH_INTERVAL)
        _return_freed_memory()
        configure(container.settings().log_format)
    settings = container.settings()
    options: dict[str, Any] = {"title": "Belongings", "description": _DESCRIPTION, "version": version("belongings")}
    options["generate_unique_id_function"] = operation_id
    options["telemetry"] = telemetry(settings)
    make = documented_app if settings.docs else partial(FastAPI, openapi_url=None)
    app = make(**options, lifespan=_lifespan, redirect_slashes=False)
    app.router.default = NoRoute(app.routes, not_found=app.router.default)
    app.state.container = container
    app.state.unsent = UnsentBytes()
    observers = [access_log(settings)]
    app.state.metrics = Metrics() if settings.metrics else None
    if app.state.metrics:
        app.add_route("/metrics", app.state.metrics.respond, include_in_schema=False)
        observers.append(app.state.metrics.count)
    if container.sign_up_limiter():
        app.add_middleware(RateLimitHeadersMiddleware)
    app.add_middleware(RequestLimitsMiddleware, requests=settings.requests, body_wait=settings.body_wait)
    app.add_middleware(HeadMiddleware)
    origins = settings.cors_origins or ()
    app.add_middleware(BrowserGuardMiddleware, hosts=settings.hosts or (), origins=origins)
    if origins:
        app.add_middleware(CorsMiddleware, origins)
    app.add_middleware(ResponseLimitsMiddleware, app.state.unsent)
    app.add_middleware(RequestContextMiddleware, *filter(None, observers))  # added last, so it is outermost
    add_problem_handlers(app)
    app.add_exception_handler(Exception, partial(internal_server_error, origins=origins))
    for router in (health.router, items.router, users.router):
        app.include_router(router)
    RouteTable(app)
    document(app, password_min_length=settings.password_min_length)
    return app


def _return_freed_memory() -> None:
    """Make glibc return the buffers of large responses to the system when they are freed.

    By default it raises the threshold up to 32 MiB and keeps smaller buffers for each thread: up to 100 MiB in all.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    container: Container = app.state.container
    store = container.store()
    settings = container.settings()
    async with AsyncExitStack() as open:
        open.push_async_callback(run_sync, flush_stderr)  # last: a signal may end the process right after it
        open.push_async_callback(run_sync, store.close)
        thread_pools = app.state.thread_pools = ThreadPools(
            store,
            threads=settings.threads,
            processors=processors(),
            timeouts=Timeouts(thread=settings.pool_wait, deadline=settings.deadline, max_queued=settings.queue),
            scans=settings.scan_threads,
            scan_timeouts=Timeouts(
                thread=min(settings.pool_wait, settings.deadline / 2),  # leaves half of the time for the scan itself
                deadline=settings.deadline,
                max_queued=settings.queue,
                max_pending=ceil(settings.requests / 5),  # leaves the rest to other requests
                work=settings.scan_wait,
            ),
        )
        open.push_async_callback(run_sync, thread_pools.close)
        if limiter := container.sign_up_limiter():
            open.push_async_callback(limiter.close)
        try:
            await run_sync(store.prepare)
        except SchemaNewer:
            raise
        except (SchemaMismatch, StorageUnavailable) as error:
            if store.embedded:
                raise
            # it can be repaired while the application runs; until then, /health/ready reports it
            logger.warning("not ready: %s", getattr(error, "reason", error))
        await open.enter_async_context(purging(store, thread_pools.writing))
        if app.state.metrics:
            await open.enter_async_context(app.state.metrics.collecting(store, thread_pools))
        yield
