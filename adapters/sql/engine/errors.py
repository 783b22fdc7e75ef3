"""Translation of database errors into errors of the service."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from adapters.sql.mapping.tables import ENTITIES
from domain.errors import BelongingsError, StaleVersion
from service_layer.errors import Deadlock, OutcomeUnknown, StorageFull, StorageUnavailable


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise the service's error for a database error; unknown errors propagate unchanged."""
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
    """Translate the errors of a COMMIT.

    The outcome is unknown after a lost connection, and on SQLite after an I/O error: the commit may be in the log
    without being synced, and a process that opens the file after a crash may find it there.
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
"""SQLSTATEs: PostgreSQL is a read-only standby; a table or column is missing, on PostgreSQL and MariaDB. SQLite raises
OperationalError for these."""


_FULL = (sqlite3.SQLITE_FULL, "53100", 1021, 1114)
"""Error codes for a full disk, of SQLite, PostgreSQL and MariaDB, which has two."""


def _is_full(error: BaseException | None) -> bool:
    codes = (
        getattr(error, "sqlite_errorcode", None),
        getattr(error, "sqlstate", None),
        *getattr(error, "args", ())[:1],
    )
    return any(code in _FULL for code in codes)


def _is_deadlock(error: BaseException | None) -> bool:
    """Whether PostgreSQL or MariaDB has rolled back the transaction to resolve a deadlock."""
    return getattr(error, "sqlstate", None) == "40P01" or getattr(error, "args", ())[:1] == (1213,)


def is_interrupted(error: DBAPIError) -> bool:
    """Whether SQLite has interrupted a statement."""
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT


def is_locked(error: DBAPIError) -> bool:
    """Whether PostgreSQL or MariaDB has timed out waiting for a lock."""
    return getattr(error.orig, "sqlstate", None) == "55P03" or getattr(error.orig, "args", ())[:1] == (1205,)


def first_line(error: object) -> str:
    """The first line of an error message, without details."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _constraint_error(error: IntegrityError) -> BelongingsError | IntegrityError:
    """The error for a violated unique constraint. PostgreSQL and MariaDB name it; SQLite names the column."""
    for aggregate in ENTITIES.values():
        for column, taken in aggregate.unique.items():
            if re.search(rf"\b(uq_{aggregate.name}_|{aggregate.name}\.){column}\b", str(error.orig)):
                return taken()
    return error
