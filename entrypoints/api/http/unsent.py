"""The bytes of large responses that clients have not received yet, and what happens when they are too many."""

from contextvars import ContextVar
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from entrypoints.api.http.problems import RETRY_AFTER

PIECE = 64 * 1024
"""Bytes handed to a connection at once. Smaller responses are not counted."""

LIMIT = 32 * 1024 * 1024
"""Bytes of all large responses together that are being sent."""


class TooManyUnsent(HTTPException):
    """There is no room for another large response."""

    def __init__(self) -> None:
        super().__init__(503, "Too many large responses wait for their clients", {"Retry-After": RETRY_AFTER})


class UnsentBytes:
    """Counts the bytes of the large responses that are being sent.

    :param limit: above which further large responses are refused.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.size = 0

    @property
    def room(self) -> int:
        """Bytes that the next response may have; a small one is always possible."""
        return max(PIECE, self.limit - self.size)


unsent_bytes: ContextVar[UnsentBytes | None] = ContextVar("unsent_bytes", default=None)
"""The counter for the response to the current request; None for a change, whose response is always sent."""


def check_room(size: int) -> None:
    """Raise TooManyUnsent if there is no room for a response of this size, before all of it is encoded."""
    unsent = unsent_bytes.get()
    if unsent is not None and size > unsent.room:
        raise TooManyUnsent


def _response_room(request: Request) -> None:
    unsent: UnsentBytes = request.app.state.unsent
    if unsent.size >= unsent.limit:
        raise TooManyUnsent


ResponseRoomDep = Annotated[None, Depends(_response_room)]
"""For a change whose response may be large: refuses it before it is made if there is no room for the response."""
