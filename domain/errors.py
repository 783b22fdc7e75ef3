"""Errors of the domain: rules about users and items that a request breaks.

* BelongingsError
  * NotFound
    - UserNotFound
    - ItemNotFound
  * AlreadyTaken
    - EmailTaken
  * InvalidValue
  * StaleVersion

``str(error)`` is a sentence for the client. It never contains a value that the client sent.
Errors of the database and of retried requests are in ``service_layer.errors``.
"""


class BelongingsError(Exception):
    """Base class of all errors that are raised on purpose."""

    message = "Something went wrong"

    def __str__(self) -> str:
        return self.message


class NotFound(BelongingsError):
    """Nothing has this id."""


class UserNotFound(NotFound):
    """No user has this id."""

    message = "User not found"


class ItemNotFound(NotFound):
    """No item has this id."""

    message = "Item not found"


class AlreadyTaken(BelongingsError):
    """Another row has a value that must be unique."""


class EmailTaken(AlreadyTaken):
    """Another user has this email address. ``domain.users.canonical_email`` defines which addresses are equal."""

    message = "Email already registered"


class InvalidValue(BelongingsError):
    """A value breaks an invariant: ``field`` names the field, ``reason`` the invariant."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.field} {self.reason}"


class StaleVersion(BelongingsError):
    """An entity was changed or deleted since it was read. Nothing was written."""

    message = "The resource has changed since you read it"
