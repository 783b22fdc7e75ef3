"""What the database says, in the words of the domain."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from domain.errors import BelongingsError, EmailTaken, StaleVersion, StorageUnavailable, UserNotFound


@contextmanager
def in_domain_terms() -> Iterator[None]:
    """Raise the domain's error for one of the database's; what has no such name passes through."""
    try:
        yield
    except StaleDataError as error:
        raise StaleVersion from error
    except IntegrityError as error:
        raise _violated(error) from error
    except PoolTimeout as error:
        raise StorageUnavailable("all connections are in use") from error
    except DBAPIError as error:
        unavailable = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
        if unavailable or getattr(error.orig, "sqlstate", None) in _NO_SUCH_TABLE_OR_COLUMN:
            raise StorageUnavailable(first_line(error.orig)) from error
        raise


_NO_SUCH_TABLE_OR_COLUMN = ("42P01", "42703", "42S02", "42S22")
"""Of PostgreSQL and of MariaDB: it is not migrated yet. SQLite says so by an OperationalError."""


def first_line(error: object) -> str:
    """What a driver said, without what it adds to it."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _violated(error: IntegrityError) -> BelongingsError | IntegrityError:
    """PostgreSQL and MariaDB name the constraint; SQLite names the column, or just the kind."""
    message = str(error.orig)
    if "uq_users_email_key" in message or "users.email_key" in message:
        return EmailTaken()
    if "fk_items_owner_id" in message or message == "FOREIGN KEY constraint failed":
        return UserNotFound()
    return error
