"""A limit on the bytes that are held for clients. If it is reached, the slowest client is disconnected."""

from collections.abc import Callable
from time import monotonic

from starlette.types import Scope

DISCONNECT = "belongings.disconnect"
"""The key in the ``extensions`` of a scope for a function that closes the connection at once, without a response. Only
``belongings serve`` provides it."""

SLOW_AFTER = 1.0
"""Seconds that a client can always take, even if the limit is reached."""


class HeldBytes:
    """The bytes that are held for one client.

    :ivar size: how many.
    :ivar waiting_since: the time of ``time.monotonic`` since when the service waits for the client; None while the
        client waits for the service.
    """

    __slots__ = ("disconnect", "size", "waiting_since")

    def __init__(self, disconnect: Callable[[], None] | None) -> None:
        self.disconnect = disconnect
        self.size = 0
        self.waiting_since: float | None = None


class ByteBudget:
    """Counts the bytes that are held for all clients.

    :param limit: the most bytes.
    :param small: the most bytes of a client for whom little is held.
    :param reserve: the part of the limit that is for such clients only.
    """

    def __init__(self, limit: int, *, small: int = 0, reserve: int = 0) -> None:
        self.limit = limit
        self.size = 0
        self._small = small
        self._reserve = reserve
        self._held: set[HeldBytes] = set()

    def has_room(self, size: int, held: HeldBytes | None = None) -> bool:
        """Whether there would be room for more bytes if slow clients were disconnected. Threads can ask too.

        :param held: the bytes that are already held for the same client.
        """
        slow = sum([each.size for each, _ in self._slow()])
        return self.size + size - slow <= self._limit(size + (held.size if held else 0))

    def make_room(self, held: HeldBytes, size: int) -> bool:
        """Make room for this many more bytes, and return whether there is.

        If necessary, clients that have been slow for longest are disconnected.
        """
        limit = self._limit(held.size + size)
        if self.size + size > limit and self.has_room(size, held):
            for slow, _ in sorted(self._slow(), key=lambda each: each[1]):
                if self.size + size <= limit:
                    break
                self.release(slow)
                if slow.disconnect:
                    slow.disconnect()
        return self.size + size <= limit

    def hold(self, scope: Scope) -> HeldBytes:
        """Begin to count the bytes that are held for this request; there are none yet."""
        held = HeldBytes(scope.get("extensions", {}).get(DISCONNECT))
        self._held.add(held)
        return held

    def add(self, held: HeldBytes, size: int) -> None:
        """Count this many more bytes."""
        self.size += size
        held.size += size

    def release(self, held: HeldBytes) -> None:
        """Stop counting the bytes of a request."""
        self.size -= held.size
        held.size = 0
        self._held.discard(held)

    def _limit(self, size: int) -> int:
        """The most bytes in all after adding to a client for whom this many are held then."""
        return self.limit if size <= self._small else self.limit - self._reserve

    def _slow(self) -> list[tuple[HeldBytes, float]]:
        """Clients that can be disconnected, and since when the service has been waiting for each."""
        latest = monotonic() - SLOW_AFTER
        return [
            (held, since)
            for held in list(self._held)
            if held.size and held.disconnect and (since := held.waiting_since) is not None and since <= latest
        ]
