"""Doing once what is asked for twice: a client that lost the answer may send its request again.

The keys are those of the ``Idempotency-Key`` header (draft-ietf-httpapi-idempotency-key-header).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from domain.errors import BatchRejected, EmailTaken, IdempotencyKeyInUse, IdempotencyKeyReused, NotFound
from service_layer.ports import Receipt, UnitOfWork

KEPT_FOR = 24 * 60 * 60
"""Seconds after the first answer in which it is given again."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that may have been sent before.

    :param key: which a client gives to one request and all that repeat it.
    :param fingerprint: equal for equal requests only, whatever their key; up to 255 characters.
    :param now: seconds since 1970.
    """

    key: str
    fingerprint: str
    now: int

    def including(self, secret: str) -> "Attempt":
        """The same with one more part of the request, which must be no secret any more."""
        return replace(self, fingerprint=f"{self.fingerprint} {secret}")

    def receipt(self, answer: object) -> Receipt:
        """What is kept of it."""
        return Receipt(self.key, self.fingerprint, json.dumps(answer), self.now + KEPT_FOR)


def once(uow: UnitOfWork, attempt: Attempt | None, act: Callable[[], Answer]) -> Answer:
    """What ``act`` returns after it was committed; for a repeated attempt what it returned the first time.

    The answer is kept in the transaction that does what it tells of. A refusal is not kept:
    nothing was done, and to ask again is safe.

    :param act: acts in the unit of work, and returns what JSON can hold.
    :raises IdempotencyKeyReused: the key came with another request before.
    :raises IdempotencyKeyInUse: the same attempt is being made at this moment.
    """
    try:
        with uow:
            kept = uow.receipts.get(attempt.key, now=attempt.now) if attempt else None
            if kept is None:
                answer = act()
                if attempt:
                    uow.receipts.add(attempt.receipt(answer), now=attempt.now)
                uow.commit()
                return answer
    except (EmailTaken, NotFound, BatchRejected, IdempotencyKeyInUse):
        # a twin of this attempt may have been quicker, and what it did be what refuses this one
        with uow:
            kept = uow.receipts.get(attempt.key, now=attempt.now) if attempt else None
        if kept is None:
            raise
    if attempt and kept.fingerprint != attempt.fingerprint:
        raise IdempotencyKeyReused
    first: Answer = json.loads(kept.answer)
    return first
