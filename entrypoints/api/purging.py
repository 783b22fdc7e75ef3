"""Background deletion of rows that are marked as removed."""

import logging
from asyncio import create_task, sleep
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from domain.errors import BelongingsError
from entrypoints.api.thread_pools import ThreadPool
from service_layer.errors import StorageUnavailable
from service_layer.ports import Store

logger = logging.getLogger("belongings")

_PAUSE = 0.02
"""Seconds between two batches, so that checkpoints, other processes and reads get their turn."""

_POLL_INTERVAL = 5.0
"""Seconds until the next attempt when there was nothing to delete."""

_RETRY_INTERVAL = 0.5
"""Seconds until the next attempt when no thread was free in time, or the database was unavailable."""


@asynccontextmanager
async def purging(store: Store, thread_pool: ThreadPool) -> AsyncIterator[None]:
    """Purge the store while the block runs. Each batch is a job in the thread pool, so that requests run in between."""
    task = create_task(_purge(store, thread_pool))
    try:
        yield
    finally:
        task.cancel()


async def _purge(store: Store, thread_pool: ThreadPool) -> None:
    pause = _POLL_INTERVAL
    while True:
        await sleep(pause)
        pause = _POLL_INTERVAL
        try:
            if await thread_pool.run_since(monotonic(), store.purge, is_request=False):
                pause = _PAUSE
        except StorageUnavailable:
            pause = _RETRY_INTERVAL  # /health/ready reports it
        except BelongingsError:
            pass
        except Exception as error:
            logger.error("purging failed, will retry", exc_info=error)
