"""Rate limiting per client, in memory or in Redis."""

import logging
from asyncio import timeout
from time import time
from typing import Any

from limits import parse
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError, StorageError

from service_layer.ports import Quota

_REDIS_TIMEOUT = 0.5
"""Seconds to wait for Redis before a request is allowed without being counted."""

logger = logging.getLogger("belongings")


class FixedWindowLimiter:
    """Allows a number of requests in a window that starts with the first request of a client.

    :param rate: such as ``10/hour``.
    :param redis_url: where several processes share their counters; without it, each process counts by itself.
    :raises ValueError: the URL is not a Redis URL.
    """

    def __init__(self, rate: str, redis_url: str | None = None) -> None:
        self._rate = parse(rate)
        self._pool = _pool(redis_url) if redis_url else None
        self._window = FixedWindowRateLimiter(_storage(redis_url, self._pool))
        self._unavailable = False

    @property
    def limit(self) -> int:
        return self._rate.amount

    @property
    def window_seconds(self) -> int:
        return self._rate.get_expiry()

    async def hit(self, client: str) -> Quota | None:
        try:
            async with timeout(_REDIS_TIMEOUT):
                allowed = await self._window.hit(self._rate, client)
                reset, remaining = await self._window.get_window_stats(self._rate, client)
        except (StorageError, TimeoutError) as error:
            self._log_availability(error)
            return None
        self._log_availability(None)
        return Quota(allowed, remaining, max(0.0, reset - time()))

    async def close(self) -> None:
        if self._pool:
            await self._pool.disconnect()

    def _log_availability(self, error: Exception | None) -> None:
        """Log once when Redis becomes unavailable, and once when it is available again."""
        if error and not self._unavailable:
            logger.warning("Redis is unavailable; requests are not rate limited until it is back: %s", error)
        elif self._unavailable and not error:
            logger.warning("Redis is available again")
        self._unavailable = error is not None


def check_redis_url(url: str) -> None:
    """Check the URL and its options without connecting; otherwise, options would be checked for each connection.

    :raises ValueError: it is not a Redis URL, or has an option that does not exist. The message may contain the URL.
    """
    from redis import RedisError  # slow to import, and optional

    try:
        _pool(url).make_connection()
    except (AttributeError, TypeError, RedisError) as error:
        raise ValueError(str(error)) from error


def _pool(url: str) -> Any:
    from redis.asyncio import ConnectionPool  # slow to import, and optional
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    timeouts: dict[str, Any] = {"socket_connect_timeout": _REDIS_TIMEOUT, "socket_timeout": _REDIS_TIMEOUT}
    return ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0), **timeouts)


def _storage(url: str | None, pool: Any) -> Storage:
    if url is None:
        return MemoryStorage()
    options: dict[str, Any] = {"connection_pool": pool}
    try:
        return RedisStorage(url, wrap_exceptions=True, implementation="redispy", key_prefix="belongings", **options)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
