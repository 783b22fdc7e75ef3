"""What the database says, in the words of the domain."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from domain.errors import BelongingsError, EmailTaken, StaleVersion, UserNotFound
from service_layer.errors import Deadlock, OutcomeUnknown, StorageFull, StorageUnavailable


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise the domain's error for one of the database's; what has no such name passes through."""
    try:
        yield
    except StaleDataError as error:
        raise StaleVersion from error
    except IntegrityError as error:
        raise _constraint_error(error) from error
    except PoolTimeout as error:
        raise StorageUnavailable("all connections are in use") from error
    except DBAPIError as error:
        if _is_full(error.orig):
            raise StorageFull(first_line(error.orig)) from error
        if _is_deadlock(error.orig):
            raise Deadlock(first_line(error.orig)) from error
        unavailable = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
        if unavailable or getattr(error.orig, "sqlstate", None) in _UNAVAILABLE_STATES:
            raise StorageUnavailable(first_line(error.orig)) from error
        raise


@contextmanager
def translate_commit_errors() -> Iterator[None]:
    """The same around a COMMIT and nothing else.

    Its outcome is unknown after a lost connection, and on SQLite after an I/O error: the commit may be in the log by
    then, without being synced, and whoever opens the file after a crash finds it there.
    """
    with translate_errors():
        try:
            yield
        except DBAPIError as error:
            if error.connection_invalidated or _is_io_error(error.orig):
                raise OutcomeUnknown(first_line(error.orig)) from error
            raise


def _is_io_error(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR


_UNAVAILABLE_STATES = ("25006", "42P01", "42703", "42S02", "42S22")
"""PostgreSQL is a standby that takes no changes; a table or column is not there, of PostgreSQL and of MariaDB.
SQLite says so by an OperationalError."""


_FULL = (sqlite3.SQLITE_FULL, "53100", 1021, 1114)
"""What SQLite, PostgreSQL and MariaDB call it when there is no room for a row: MariaDB by two names."""


def _is_full(error: BaseException | None) -> bool:
    said = (getattr(error, "sqlite_errorcode", None), getattr(error, "sqlstate", None), *getattr(error, "args", ())[:1])
    return any(each in _FULL for each in said)


def _is_deadlock(error: BaseException | None) -> bool:
    """Whether PostgreSQL or MariaDB has undone the transaction to end a deadlock."""
    return getattr(error, "sqlstate", None) == "40P01" or getattr(error, "args", ())[:1] == (1213,)


def is_interrupted(error: DBAPIError) -> bool:
    """Whether SQLite has been made to end a statement early."""
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT


def is_locked(error: DBAPIError) -> bool:
    """Whether PostgreSQL or MariaDB has waited for somebody else's lock for as long as it may."""
    return getattr(error.orig, "sqlstate", None) == "55P03" or getattr(error.orig, "args", ())[:1] == (1205,)


def first_line(error: object) -> str:
    """What a driver said, without what it adds to it."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _constraint_error(error: IntegrityError) -> BelongingsError | IntegrityError:
    """PostgreSQL and MariaDB name the constraint; SQLite names the column, or just the kind."""
    message = str(error.orig)
    if "uq_users_email_key" in message or "users.email_key" in message:
        return EmailTaken()
    if "fk_items_owner_id" in message or message == "FOREIGN KEY constraint failed":
        return UserNotFound()
    return error
