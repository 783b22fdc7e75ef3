"""A limit on the bytes of large responses that clients have not received yet."""

from contextvars import ContextVar
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from entrypoints.api.http.byte_budget import ByteBudget
from entrypoints.api.http.problems import RETRY_AFTER

PIECE = 64 * 1024
"""Bytes that are handed to a connection at once. Smaller responses are not counted."""

ALL_UNSENT_MAX = 32 * 1024 * 1024
"""The most bytes in all large responses that are being sent."""


SMALL_UNSENT_MAX = 256 * 1024
"""The most bytes in a response that the system buffers completely if its client has read all earlier ones."""

SMALL_UNSENT_RESERVE = 8 * 1024 * 1024
"""The bytes of ``ALL_UNSENT_MAX`` that are for such responses only."""


class TooManyUnsent(HTTPException):
    """There is no room for another large response."""

    def __init__(self) -> None:
        super().__init__(503, "Too many large responses wait for their clients", {"Retry-After": RETRY_AFTER})


unsent_budget: ContextVar[ByteBudget | None] = ContextVar("unsent_budget", default=None)
"""The budget for the response to the current request; None for an unsafe method, whose response is always sent."""


def check_room(size: int) -> None:
    """Check that there is room for a response, before all of it is encoded.

    :param size: its size so far.
    :raises TooManyUnsent: there is none.
    """
    unsent = unsent_budget.get()
    if unsent is not None and size > PIECE and not unsent.has_room(size):
        raise TooManyUnsent


def _response_room(request: Request) -> None:
    unsent: ByteBudget = request.app.state.unsent
    if not unsent.has_room(1):
        raise TooManyUnsent


ResponseRoomDep = Annotated[None, Depends(_response_room)]
"""Refuses a change with a large response before it is made, if there is no room for the response."""
