"""What starts and stops with the application: thread pools, the store, background tasks."""

import logging
from asyncio import CancelledError
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

from anyio.to_thread import run_sync
from fastapi import FastAPI

from entrypoints.api.purging import purging
from entrypoints.api.thread_pools import ThreadPools, Timeouts
from entrypoints.background_writer import flush_stderr
from entrypoints.container import Container
from entrypoints.settings import Settings, processors
from service_layer.errors import SchemaMismatch, SchemaNewer, StorageUnavailable
from service_layer.ports import Store

logger = logging.getLogger("belongings")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what the application needs, with the pools in ``app.state.thread_pools``, and close it in reverse order."""
    container: Container = app.state.container
    store = container.store()
    async with AsyncExitStack() as open:
        open.push_async_callback(run_sync, flush_stderr)  # last: a signal may end the process right after it
        open.push_async_callback(run_sync, store.close)
        thread_pools = app.state.thread_pools = _thread_pools(store, container.settings())
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
        with suppress(CancelledError):  # uvicorn skips the shutdown after a second Ctrl-C
            yield


def _thread_pools(store: Store, settings: Settings) -> ThreadPools:
    turns = Timeouts(
        thread=min(settings.pool_wait, settings.deadline / 2),  # leaves half of the time for the work itself
        deadline=settings.deadline,
        max_queued=settings.queue,
    )
    return ThreadPools(
        store,
        threads=settings.threads,
        processors=processors(),
        requests=settings.requests,
        timeouts=Timeouts(thread=settings.pool_wait, deadline=settings.deadline, max_queued=settings.queue),
        scans=settings.scan_threads,
        scan_timeouts=replace(turns, work=settings.scan_wait),
        batch_timeouts=turns,
    )
