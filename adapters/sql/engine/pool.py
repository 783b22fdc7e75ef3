"""A connection pool that serves waiting threads in order."""

from typing import Any

from sqlalchemy import QueuePool
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util.queue import Empty, QueueCommon

from adapters.fair_queue import FairQueue
from service_layer.deadline import seconds_left


class _FairPoolQueue(QueueCommon[Any]):
    """A ``FairQueue`` with the methods that ``QueuePool`` calls. It is never full: only its own connections return."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        self.maxsize = maxsize
        self.use_lifo = use_lifo
        self._queue = FairQueue[ConnectionPoolEntry]()

    def qsize(self) -> int:
        return len(self._queue)

    @property
    def waiting(self) -> int:
        return self._queue.waiting

    def put(self, item: ConnectionPoolEntry, block: bool = True, timeout: float | None = None) -> None:
        self._queue.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:
        try:
            return self._queue.get(timeout=min(timeout or 0, seconds_left()) if block else 0)
        except TimeoutError:
            raise Empty from None


class FairQueuePool(QueuePool):
    """SQLAlchemy's ``QueuePool``, except that waiting threads get connections first come, first served."""

    _queue_class = _FairPoolQueue

    @property
    def waiting(self) -> int:
        """The number of threads that wait for a connection."""
        queue = self._pool
        assert isinstance(queue, _FairPoolQueue)
        return queue.waiting
