"""A limit on the bytes of large responses that clients have not received yet."""

from contextvars import ContextVar
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from entrypoints.api.http.problems import RETRY_AFTER

PIECE = 64 * 1024
"""Bytes that are handed to a connection at once. Smaller responses are not counted."""

LIMIT = 32 * 1024 * 1024
"""The most bytes in all large responses that are being sent."""


class TooManyUnsent(HTTPException):
    """There is no room for another large response."""

    def __init__(self) -> None:
        super().__init__(503, "Too many large responses wait for their clients", {"Retry-After": RETRY_AFTER})


class UnsentResponseBudget:
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


unsent_budget: ContextVar[UnsentResponseBudget | None] = ContextVar("unsent_budget", default=None)
"""The budget for the response to the current request; None for an unsafe method, whose response is always sent."""


def check_room(size: int) -> None:
    """Check that there is room for a response, before all of it is encoded.

    :param size: its size so far.
    :raises TooManyUnsent: there is none.
    """
    unsent = unsent_budget.get()
    if unsent is not None and size > unsent.room:
        raise TooManyUnsent


def _response_room(request: Request) -> None:
    unsent: UnsentResponseBudget = request.app.state.unsent
    if unsent.size >= unsent.limit:
        raise TooManyUnsent


ResponseRoomDep = Annotated[None, Depends(_response_room)]
"""Refuses a change with a large response before it is made, if there is no room for the response."""
