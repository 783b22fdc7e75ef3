"""Deleting, in the background, what was removed and only hidden."""

import logging
from asyncio import create_task, sleep
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.errors import BelongingsError
from entrypoints.api.thread_pools import ThreadPool
from service_layer.ports import Store

logger = logging.getLogger("belongings")

_PAUSE = 0.02
"""Seconds between two steps, for whoever does not wait in the lane: checkpoints, other processes, reads."""

_LOOK_AFTER = 5.0
"""Seconds without anything to do, or with a database that is away, until the next look."""


@asynccontextmanager
async def purging(store: Store, thread_pool: ThreadPool) -> AsyncIterator[None]:
    """Purge the store while the block runs, step by step in the lane, where each takes its turn."""
    task = create_task(_purge(store, thread_pool))
    try:
        yield
    finally:
        task.cancel()


async def _purge(store: Store, thread_pool: ThreadPool) -> None:
    more = False
    while True:
        await sleep(_PAUSE if more else _LOOK_AFTER)
        more = False
        try:
            more = await thread_pool.run(store.purge)
        except BelongingsError:
            pass  # /health/ready says what is wrong
        except Exception as error:
            logger.error("purging failed, and is tried again", exc_info=error)
