"""Backup and restore of a SQLite file."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp

from sqlalchemy import ColumnElement, Table, func, select

from adapters.sql.engine.errors import first_line
from adapters.sql.engine.process_lock import ProcessLock, lock_file
from adapters.sql.mapping.removals import is_marked, user_columns
from adapters.sql.mapping.schema import REVISIONS
from adapters.sql.mapping.tables import data_tables, removed_users
from adapters.sql.operations.sqlite_schema import schema_problem
from service_layer.errors import StorageUnavailable
from service_layer.operations import Contents, OperationFailed, Progress

_STEP = 256
"""Pages of 4 KiB that are copied between two reports of progress."""

_IN_USE = "the database is in use; stop the service first"


def back_up(
    database: Path, file: Path, progress: Progress, *, overwrite: bool, allow_orphans: bool = False
) -> Contents:
    """Copy a consistent snapshot of the database into a new file, without blocking readers or writers.

    The file is complete by itself. It gets its name only after it was checked and synced to disk.

    :param allow_orphans: do not check that rows exist that others refer to.
    :raises OperationFailed: it was not copied, or would be over a file that is there already.
    """
    with _wrap_errors(), _snapshot(database) as source:
        if file.exists() and file.samefile(database):
            raise OperationFailed(f"{file} is the database itself")
        if file.resolve() in (*_companion_files(database.resolve()), lock_file(database)):
            raise OperationFailed(f"{file} is a file that belongs to the database")
        _refuse_special_file(file)
        if file.exists() and not overwrite:
            raise OperationFailed(f"{file} already exists; --force overwrites it")
        _refuse_companion_files(file)
        command = None if allow_orphans else "belongings check"
        with _checked_copy(source, file.parent, progress, command) as (copy, contents):
            if overwrite:
                copy.replace(file)
            else:
                os.link(copy, file)  # never overwrites
            _sync(file.parent)
        return contents


def restore(file: Path, database: Path, progress: Progress) -> tuple[Contents, Path | None]:
    """Replace the database with a backup; return its contents and the new path of the previous database.

    :raises OperationFailed: the file is damaged, or not a database of this service or of this version; or the database
        is in use.
    """
    command = f"DATABASE_URL=sqlite:///{file.absolute()} belongings check"
    with _wrap_errors(), exclusive_process(database), _snapshot(file, untouched=True) as source:
        _refuse_special_file(database)
        if problem := schema_problem(source):
            raise OperationFailed(problem)
        with _checked_copy(source, database.parent, progress, command) as (copy, contents):
            if contents.revision not in REVISIONS:
                raise OperationFailed(f"it is at revision {contents.revision}, which is newer than this service")
            _close(database)
            previous = None
            if database.exists():
                status = database.stat()
                os.chown(copy, status.st_uid, status.st_gid)
                copy.chmod(status.st_mode)
                previous = _keep_previous(database)
            copy.replace(database)
            _sync(database.parent)
        return contents, previous


@contextmanager
def _snapshot(path: Path, *, untouched: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a read transaction. Without one, SQLite would restart a backup after each write of another connection.

    :param untouched: create no files next to it. No other process may use the file then.
    """
    _refuse_special_file(path)
    if not path.exists():
        raise OperationFailed(f"{path}: there is no such file")
    alone = untouched and not path.with_name(f"{path.name}-wal").exists()
    options = "?mode=ro&immutable=1" if alone else "?mode=ro" if untouched else "?mode=rw"
    with closing(sqlite3.connect(path.resolve().as_uri() + options, uri=True, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        yield connection


@contextmanager
def _checked_copy(
    source: sqlite3.Connection, folder: Path, progress: Progress, command: str | None
) -> Iterator[tuple[Path, Contents]]:
    """A temporary copy of the source, checked, synced, readable for this user only, and deleted after the block.

    :param command: for the message about rows that refer to others that do not exist; None skips that check.
    """
    expected = _contents(source)
    handle, name = mkstemp(prefix=".belongings-", suffix=".part", dir=folder)
    copy = Path(name)
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as target:
            target.execute("PRAGMA synchronous = OFF")  # it is synced once, at the end
            source.backup(target, pages=_STEP, progress=lambda _, left, of: progress("copying", of - left, of))
            target.execute("PRAGMA journal_mode = DELETE")  # opens without further files
        progress("checking", 0, 1)
        with closing(sqlite3.connect(copy, isolation_level=None)) as target:
            _check(target, expected, command)
        os.fsync(handle)
        progress("checking", 1, 1)
        yield copy, expected
    finally:
        os.close(handle)
        for each in (copy, *_companion_files(copy)):
            each.unlink(missing_ok=True)


def _contents(connection: sqlite3.Connection) -> Contents:
    def count(table: Table, *where: ColumnElement[bool]) -> int:
        return int(connection.execute(str(select(func.count()).select_from(table).where(*where))).fetchone()[0])

    try:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        there = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master")
        }  # at an old revision, not all
        tables = [table for table in data_tables() if table.name in there]
        rows = {table.name: count(table) for table in tables}
        for table in tables if removed_users.name in there else []:
            for column in user_columns(table):
                rows[table.name] -= count(table, is_marked(column))
    except (sqlite3.OperationalError, TypeError) as error:
        raise OperationFailed("it is not a database of this service") from error
    return Contents(revision, rows)


def _check(copy: sqlite3.Connection, expected: Contents, command: str | None) -> None:
    (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise OperationFailed(f"it is damaged: {found.splitlines()[-1]}")
    if command and copy.execute("PRAGMA foreign_key_check").fetchone():
        raise OperationFailed(f"it is damaged: rows refer to others that are not there; to see which, run: {command}")
    if _contents(copy) != expected:
        raise OperationFailed("the copy does not hold what was read")


@contextmanager
def exclusive_process(database: Path) -> Iterator[None]:
    """Keep a service from starting on the database during the block."""
    try:
        lock = ProcessLock(database)
    except StorageUnavailable as error:
        raise OperationFailed(error.reason if error.__cause__ else _IN_USE) from error
    try:
        yield
    finally:
        lock.release()


def _close(database: Path) -> None:
    """Checkpoint and remove the log, which SQLite allows only while no other connection is open."""
    if not database.exists():
        _refuse_companion_files(database)
        return
    try:
        with closing(sqlite3.connect(database, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith("SQLITE_BUSY"):
            raise OperationFailed(_IN_USE) from error
        if error.sqlite_errorname not in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):  # perhaps why it is being restored
            raise


def _keep_previous(database: Path) -> Path:
    """Link the database under a second name, and rename the files next to it to match."""
    previous = database.with_name(f"{database.name}-before-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    os.link(database, previous)
    for each, name in zip(_companion_files(database), _companion_files(previous), strict=True):
        if each.exists():
            each.rename(name)
    return previous


def _refuse_companion_files(file: Path) -> None:
    for each in _companion_files(file):
        if each.exists():
            raise OperationFailed(f"{each.name} exists and would be read as a part of it")


def _refuse_special_file(file: Path) -> None:
    if file.exists() and not file.is_file():
        raise OperationFailed(f"{file} is not a regular file")


def _companion_files(file: Path) -> list[Path]:
    """The files that SQLite keeps next to a database in use."""
    return [file.with_name(f"{file.name}-{part}") for part in ("wal", "shm", "journal")]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _wrap_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OperationFailed(first_line(error)) from error
    except OSError as error:
        raise OperationFailed(str(error.strerror)) from error
