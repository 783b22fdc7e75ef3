"""Errors of use cases and of the database.

* domain.errors.BelongingsError
  * BatchRejected
  * IdempotencyError
    - IdempotencyKeyReused
    - IdempotencyKeyInUse
  * StorageUnavailable
    - Busy
    - Deadlock
    - OutcomeUnknown
    - StorageFull
  * SchemaMismatch
    - SchemaNewer
"""

from domain.errors import BelongingsError


class BatchRejected(BelongingsError):
    """Some elements of a batch are invalid, so none was created.

    :param errors: the error of each invalid element, by its index in the batch, from 0.
    """

    message = "Some items were rejected; none was created"

    def __init__(self, errors: dict[int, BelongingsError]) -> None:
        super().__init__(errors)
        self.errors = errors


class IdempotencyError(BelongingsError):
    """A request was not processed because of its idempotency key. Nothing was changed."""


class IdempotencyKeyReused(IdempotencyError):
    """The key was already used for a different request."""

    message = "This Idempotency-Key was already used for a different request"


class IdempotencyKeyInUse(IdempotencyError):
    """Another request with the same key is still being processed."""

    message = "A request with this Idempotency-Key is still being processed"


class StorageUnavailable(BelongingsError):
    """The database is unreachable, too slow or too busy. A retry may succeed.

    :param reason: what the database driver reported, in one line, for the operator.
    """

    message = "The database is temporarily unavailable"

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Busy(StorageUnavailable):
    """Too many requests are in progress, so this one did not start."""


class Deadlock(StorageUnavailable):
    """The database rolled back the transaction to resolve a deadlock.

    Nothing was changed. Retry the whole transaction.
    """


class OutcomeUnknown(StorageUnavailable):
    """The database did not confirm a change in time. The change may have been made, or may still be made."""

    message = "The database did not confirm the change; it may or may not have been made"


class StorageFull(StorageUnavailable):
    """The database is out of disk space. Nothing was changed; an operator must free some space first."""

    message = "The database is out of disk space"


class SchemaMismatch(BelongingsError):
    """The database schema does not match this version of the service. The message says what to do."""

    __str__ = Exception.__str__


class SchemaNewer(SchemaMismatch):
    """A newer version of the service has migrated the database. This version must not use it."""
