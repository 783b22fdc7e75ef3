"""Idempotent requests: a client that did not receive the response can safely send the request again.

The keys are those of the ``Idempotency-Key`` header (draft-ietf-httpapi-idempotency-key-header).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from domain.errors import AlreadyTaken, NotFound
from service_layer.errors import BatchRejected, IdempotencyKeyInUse, IdempotencyKeyReused
from service_layer.ports import IdempotencyRecord, UnitOfWork

RECORD_TTL = 24 * 60 * 60
"""Seconds for which the response of a request is repeated."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request with an idempotency key. It may have been sent before.

    :param key: chosen by the client; the same for a request and its retries.
    :param fingerprint: equal for equal requests only; does not depend on the key; up to 255 characters.
    :param now: seconds since 1970.
    """

    key: str
    fingerprint: str
    now: int

    def extend_fingerprint(self, digest: str) -> "IdempotentRequest":
        """A copy whose fingerprint includes one more part of the request.

        :param digest: of that part; it is stored, so it must not reveal a secret.
        """
        return replace(self, fingerprint=f"{self.fingerprint} {digest}")

    def record(self, result: object) -> IdempotencyRecord:
        """The record to store with the result."""
        return IdempotencyRecord(self.key, self.fingerprint, json.dumps(result), self.now + RECORD_TTL)


def run_once(uow: UnitOfWork, request: IdempotentRequest | None, action: Callable[[], Result]) -> Result:
    """Run an action and commit; for a retried request, return the result of the first one instead.

    The result is stored in the same transaction as the changes. An error is not stored: nothing was changed, and a
    retry is safe.

    :param request: None for a request without an idempotency key.
    :param action: works in the unit of work and returns a value that JSON can represent.
    :raises IdempotencyKeyReused: the key was already used for a different request.
    :raises IdempotencyKeyInUse: another request with the key is still being processed.
    """
    try:
        with uow:
            stored = uow.idempotency_records.get(request.key, now=request.now) if request else None
            if stored is None:
                result = action()
                if request:
                    uow.idempotency_records.add(request.record(result), now=request.now)
                uow.commit()
                return result
    except (AlreadyTaken, NotFound, BatchRejected, IdempotencyKeyInUse):
        # a concurrent request with the same key may have committed first and caused this error
        with uow:
            stored = uow.idempotency_records.get(request.key, now=request.now) if request else None
        if stored is None:
            raise
    if request and stored.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused
    first_result: Result = json.loads(stored.answer)
    return first_result
