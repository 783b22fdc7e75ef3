"""Doing once what is asked for twice: a client that lost the answer may send its request again.

The keys are those of the ``Idempotency-Key`` header (draft-ietf-httpapi-idempotency-key-header).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from domain.errors import EmailTaken, NotFound
from service_layer.errors import BatchRejected, IdempotencyKeyInUse, IdempotencyKeyReused
from service_layer.ports import IdempotencyRecord, UnitOfWork

RECORD_TTL = 24 * 60 * 60
"""Seconds after the first answer in which it is given again."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that may have been sent before.

    :param key: which a client gives to one request and all that repeat it.
    :param fingerprint: equal for equal requests only, whatever their key; up to 255 characters.
    :param now: seconds since 1970.
    """

    key: str
    fingerprint: str
    now: int

    def including(self, secret: str) -> "IdempotentRequest":
        """The same with one more part of the request, which must be no secret any more."""
        return replace(self, fingerprint=f"{self.fingerprint} {secret}")

    def record(self, answer: object) -> IdempotencyRecord:
        """What is kept of it."""
        return IdempotencyRecord(self.key, self.fingerprint, json.dumps(answer), self.now + RECORD_TTL)


def run_once(uow: UnitOfWork, request: IdempotentRequest | None, act: Callable[[], Answer]) -> Answer:
    """What ``act`` returns after it was committed; for a repeated attempt what it returned the first time.

    The answer is kept in the transaction that does what it tells of. A refusal is not kept:
    nothing was done, and to ask again is safe.

    :param act: acts in the unit of work, and returns what JSON can hold.
    :raises IdempotencyKeyReused: the key came with another request before.
    :raises IdempotencyKeyInUse: the same attempt is being made at this moment.
    """
    try:
        with uow:
            kept = uow.idempotency_records.get(request.key, now=request.now) if request else None
            if kept is None:
                answer = act()
                if request:
                    uow.idempotency_records.add(request.record(answer), now=request.now)
                uow.commit()
                return answer
    except (EmailTaken, NotFound, BatchRejected, IdempotencyKeyInUse):
        # a twin of this attempt may have been quicker, and what it did be what refuses this one
        with uow:
            kept = uow.idempotency_records.get(request.key, now=request.now) if request else None
        if kept is None:
            raise
    if request and kept.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused
    first: Answer = json.loads(kept.answer)
    return first
