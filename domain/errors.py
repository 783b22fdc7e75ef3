"""Everything that can go wrong, in the words of the domain.

* BelongingsError
  * NotFound
    - UserNotFound
    - ItemNotFound
  * EmailTaken
  * InvalidValue
  * StaleVersion
  * BatchRejected
  * IdempotencyKeyReused
  * IdempotencyKeyInUse
  * StorageUnavailable
    - Deadlock
    - OutcomeUnknown
    - StorageFull
  * SchemaMismatch
    - SchemaNewer

``str(error)`` is a sentence for whoever asked; it never contains what they sent.
"""


class BelongingsError(Exception):
    """The parent of all errors raised on purpose."""

    message = "Something went wrong"

    def __str__(self) -> str:
        return self.message


class NotFound(BelongingsError):
    """What was asked for does not exist."""


class UserNotFound(NotFound):
    message = "User not found"


class ItemNotFound(NotFound):
    message = "Item not found"


class EmailTaken(BelongingsError):
    """Another user has this address, by the rule of ``domain.users.canonical_email``."""

    message = "Email already registered"


class InvalidValue(BelongingsError):
    """A value breaks an invariant: ``field`` names it, ``reason`` says which one."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.field} {self.reason}"


class StaleVersion(BelongingsError):
    """It is not, or not any more, as whoever asks says that it should be; nothing was written."""

    message = "It is not, or not any more, as the request says"


class BatchRejected(BelongingsError):
    """Of several things that were to be kept at once some were refused, so none was kept.

    :param errors: why, by the place of each in the batch, from 0.
    """

    message = "Some of them were refused; none was kept"

    def __init__(self, errors: dict[int, BelongingsError]) -> None:
        super().__init__(errors)
        self.errors = errors


class IdempotencyKeyReused(BelongingsError):
    """The key has been used for another request; nothing was done."""

    message = "This Idempotency-Key was used for another request"


class IdempotencyKeyInUse(BelongingsError):
    """Another request with the key is being answered at this moment; nothing was done."""

    message = "A request with this Idempotency-Key is being answered at this moment"


class StorageUnavailable(BelongingsError):
    """The database cannot be reached, is too slow, or is too busy; trying again may help.

    ``reason`` is for the operator: what the database's driver said, in one line.
    """

    message = "The database is not available at the moment"

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Deadlock(StorageUnavailable):
    """The database has undone this so that others, which it waited for and which waited for it, could go on.

    Nothing was changed, and to do all of it again at once is what is meant to be done.
    """


class OutcomeUnknown(StorageUnavailable):
    """The database did not say, or not in time, whether it has made a change; it may have, or may yet."""

    message = "The database did not confirm it; it may have been done or not"


class StorageFull(StorageUnavailable):
    """The database has no room left for what was to be kept; nothing was changed, and somebody must make room first."""

    message = "The database has no room left"


class SchemaMismatch(BelongingsError):
    """The database's schema is not the one this code was written for; the message says what to do."""

    __str__ = Exception.__str__


class SchemaNewer(SchemaMismatch):
    """A newer version of this service has migrated the database; this one must not touch it."""
