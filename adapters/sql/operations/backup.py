"""Copies of a SQLite file that can be trusted, and putting one back."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp

from adapters.sql.engine.errors import first_line
from adapters.sql.engine.process_lock import ProcessLock
from adapters.sql.mapping.schema import REVISIONS
from service_layer.errors import StorageUnavailable
from service_layer.operations import Contents, OperationFailed, Progress

_STEP = 256
"""Pages, of 4 KiB each, that are copied before the progress is told."""

_IN_USE = "the database is in use; stop the service first"


def back_up(
    database: Path, file: Path, progress: Progress, *, overwrite: bool, allow_orphans: bool = False
) -> Contents:
    """Copy the database as it is at one moment into a new file; readers and writers go on meanwhile.

    The file needs no other beside it. It appears under its name when it has been checked and is on the disk.

    :param allow_orphans: copy it although items may belong to users that are gone.
    :raises OperationFailed: it was not copied, or would be over a file that is there already.
    """
    with _wrap_errors(), _snapshot(database) as source:
        if file.exists() and file.samefile(database):
            raise OperationFailed(f"{file} is the database itself")
        if file.exists() and not overwrite:
            raise OperationFailed(f"{file} is there already; --force overwrites it")
        _refuse_companion_files(file)
        command = None if allow_orphans else "belongings check"
        with _checked_copy(source, file.parent, progress, command) as (copy, contents):
            if overwrite:
                copy.replace(file)
            else:
                os.link(copy, file)  # which never overwrites
            _sync(file.parent)
        return contents


def restore(file: Path, database: Path, progress: Progress) -> tuple[Contents, Path | None]:
    """Put a backup in the place of the database; what it holds, and where the database that was there is now.

    :raises OperationFailed: the file is damaged, or not a database of this service or of this version; or the database
        is in use.
    """
    command = f"DATABASE_URL=sqlite:///{file.absolute()} belongings check"
    with _wrap_errors(), exclusive_process(database), _snapshot(file, untouched=True) as source:
        with _checked_copy(source, database.parent, progress, command) as (copy, contents):
            if contents.revision not in REVISIONS:
                raise OperationFailed(f"it is at revision {contents.revision}, which is newer than this service")
            _close(database)
            aside = None
            if database.exists():
                kept = database.stat()
                os.chown(copy, kept.st_uid, kept.st_gid)
                copy.chmod(kept.st_mode)
                aside = _keep_previous(database)
            copy.replace(database)
            _sync(database.parent)
        return contents, aside


@contextmanager
def _snapshot(path: Path, *, untouched: bool = False) -> Iterator[sqlite3.Connection]:
    """A transaction that sees one moment of it. Without it a backup would begin anew after each write of others.

    :param untouched: whether nothing may be written beside it. Then nobody else may use it.
    """
    if not path.is_file():
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
    """A file that is on the disk and holds what the source does; it is for this user only, and goes after the block.

    :param command: says which items belong to users that are gone; without it, such items do not matter.
    """
    expected = _contents(source)
    handle, name = mkstemp(prefix=".belongings-", suffix=".part", dir=folder)
    copy = Path(name)
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as target:
            target.execute("PRAGMA synchronous = OFF")  # it is synced once, as a whole
            source.backup(target, pages=_STEP, progress=lambda _, left, of: progress("copying", of - left, of))
            target.execute("PRAGMA journal_mode = DELETE")  # no other files are needed to open it
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
    try:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        (users,) = connection.execute("SELECT count(*) FROM users").fetchone()
        (items,) = connection.execute("SELECT count(*) FROM items").fetchone()
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'removed_users'").fetchone():
            users -= connection.execute("SELECT count(*) FROM removed_users").fetchone()[0]
            theirs = "SELECT count(*) FROM items WHERE owner_id IN (SELECT user_id FROM removed_users)"
            items -= connection.execute(theirs).fetchone()[0]
    except (sqlite3.OperationalError, TypeError) as error:
        raise OperationFailed("it is not a database of this service") from error
    return Contents(revision, users, items)


def _check(copy: sqlite3.Connection, expected: Contents, command: str | None) -> None:
    (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise OperationFailed(f"it is damaged: {found.splitlines()[-1]}")
    if command and copy.execute("PRAGMA foreign_key_check").fetchone():
        raise OperationFailed(f"it is damaged: items belong to users that are not there; to see which, run: {command}")
    if _contents(copy) != expected:
        raise OperationFailed("the copy does not hold what was read")


@contextmanager
def exclusive_process(database: Path) -> Iterator[None]:
    """Keep a service from starting on it, where SQLite needs that and a service looks for it."""
    try:
        lock = ProcessLock(database)
    except StorageUnavailable as error:
        raise OperationFailed(error.reason if error.__cause__ else _IN_USE) from error
    try:
        yield
    finally:
        lock.release()


def _close(database: Path) -> None:
    """Write the log back and remove it, which SQLite allows only while nobody else has the database open."""
    if not database.exists():
        _refuse_companion_files(database)
        return
    try:
        with closing(sqlite3.connect(database, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith("SQLITE_BUSY"):
            raise OperationFailed(_IN_USE) from error
        if error.sqlite_errorname not in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):  # which may be why it is to be replaced
            raise


def _keep_previous(database: Path) -> Path:
    """A second name of the database; what is beside a damaged one goes with it."""
    aside = database.with_name(f"{database.name}-before-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    os.link(database, aside)
    for each, name in zip(_companion_files(database), _companion_files(aside), strict=True):
        if each.exists():
            each.rename(name)
    return aside


def _refuse_companion_files(file: Path) -> None:
    for each in _companion_files(file):
        if each.exists():
            raise OperationFailed(f"{each.name} is there, and would be taken for a part of it")


def _companion_files(file: Path) -> list[Path]:
    """What SQLite keeps beside a file while somebody uses it."""
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
