"""Counting what each client asks for, in memory or in Redis."""

import logging
from asyncio import timeout
from time import time
from typing import Any

from limits import parse
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError, StorageError

from service_layer.ports import Quota

_WAIT = 0.5
"""Seconds for Redis to answer: as long as a client may be kept waiting for what is not even its own."""

logger = logging.getLogger("belongings")


class FixedWindowLimiter:
    """Takes so many in a window of time that begins with a client's first.

    :param rate: such as ``10/hour``.
    :param redis_url: where to count together with other processes; without it, this process counts for itself.
    :raises ValueError: the URL is none of Redis.
    """

    def __init__(self, rate: str, redis_url: str | None = None) -> None:
        self._rate = parse(rate)
        self._pool = _pool(redis_url) if redis_url else None
        self._window = FixedWindowRateLimiter(_storage(redis_url, self._pool))
        self._away = False

    @property
    def limit(self) -> int:
        return self._rate.amount

    @property
    def seconds(self) -> int:
        return self._rate.get_expiry()

    async def take(self, client: str) -> Quota | None:
        try:
            async with timeout(_WAIT):
                taken = await self._window.hit(self._rate, client)
                reset, left = await self._window.get_window_stats(self._rate, client)
        except (StorageError, TimeoutError) as error:
            self._tell(error)
            return None
        self._tell(None)
        return Quota(taken, left, max(0.0, reset - time()))

    async def close(self) -> None:
        if self._pool:
            await self._pool.disconnect()

    def _tell(self, error: Exception | None) -> None:
        """Say once that Redis is away, and once that it is back."""
        if error and not self._away:
            logger.warning("Redis does not answer, and nobody is limited until it does: %s", error)
        elif self._away and not error:
            logger.warning("Redis answers again")
        self._away = error is not None


def _pool(url: str) -> Any:
    from redis.asyncio import ConnectionPool  # takes its time to load, and most do without
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    timeouts: dict[str, Any] = {"socket_connect_timeout": _WAIT, "socket_timeout": _WAIT}
    return ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0), **timeouts)


def _storage(url: str | None, pool: Any) -> Storage:
    if url is None:
        return MemoryStorage()
    options: dict[str, Any] = {"connection_pool": pool}
    try:
        return RedisStorage(url, wrap_exceptions=True, implementation="redispy", key_prefix="belongings", **options)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
