"""A SQL database: startup, health, migrations, maintenance."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from adapters.sql.engine.engines import Engines, is_in_memory
from adapters.sql.engine.errors import first_line, translate_errors
from adapters.sql.engine.pool import FairQueuePool
from adapters.sql.engine.process_lock import ProcessLock, single_process_reason
from adapters.sql.mapping.removals import FIRST_REMOVED, purge_step
from adapters.sql.mapping.schema import check_revision, check_server, current_revision
from adapters.sql.reading.reader import retry_if_disconnected
from adapters.sql.writing.sessions import Sessions
from service_layer.errors import SchemaMismatch, SchemaNewer, StorageUnavailable
from service_layer.ports import ConnectionUse, Migration

_MIGRATION_WAIT = 5.0
"""Seconds to wait for other processes that migrate the same file."""


class SqlStore:
    """The ``Store`` of a SQL database."""

    def __init__(self, url: URL, engines: Engines, sessions: Sessions) -> None:
        self._url = url
        self._engines = engines
        self._sessions = sessions
        self._lock: ProcessLock | None = None
        self._was_current = False  # if so, a newer schema comes from a rolling update

    @property
    def label(self) -> str:
        return describe(self._url)

    @property
    def _path(self) -> Path:
        return Path(str(self._engines.writer.url.database))

    @property
    def embedded(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def single_writer(self) -> bool:
        return self.embedded

    @property
    def single_process_reason(self) -> str | None:
        if is_in_memory(self._url):
            return "each would have its own database"
        return single_process_reason() if self.embedded else None

    @property
    def connections(self) -> Mapping[str, ConnectionUse]:
        engines = self._engines
        return {"reading": _use(engines.reader), "scanning": _use(engines.scanner), "writing": _use(engines.writer)}

    def group_commit(self) -> AbstractContextManager[None]:
        return self._sessions.group_commit() if self.single_writer else nullcontext()

    def migrate(self, revision: str = "head") -> list[Migration]:
        from adapters.sql.operations.migrations import (
            migrate,  # Alembic takes its time to load, and most starts need none
        )

        held = self._lock is not None
        self._acquire_lock(wait=_MIGRATION_WAIT)
        try:
            with _connection_errors():
                current_revision(self._engines.reader)
            return migrate(self._engines.writer.url, revision)
        finally:
            if not held:
                self._release_lock()

    def prepare(self) -> None:
        """Migrate an embedded database; only check one on a server, which others may use."""
        self._acquire_lock(wait=0)
        try:
            self.check()
        except SchemaNewer:
            raise
        except SchemaMismatch:
            if not self.embedded:
                raise
            self.migrate()

    def check(self) -> None:
        with _connection_errors():
            revision = retry_if_disconnected(lambda: current_revision(self._engines.reader))
        try:
            check_revision(revision)
        except SchemaNewer:
            if not self._was_current:
                raise
        self._was_current = True
        with _connection_errors():
            retry_if_disconnected(self._check_server)

    def _check_server(self) -> None:
        with self._engines.reader.connect() as connection:
            check_server(connection)

    def purge(self) -> bool:
        with translate_errors():
            with self._engines.reader.connect() as connection:
                if connection.scalar(FIRST_REMOVED) is None:
                    return False
            with self._sessions.new() as session:
                return purge_step(session)

    def close(self) -> None:
        self._engines.close()
        self._release_lock()

    def _acquire_lock(self, *, wait: float) -> None:
        """Lock the file for this process, if the linked SQLite needs that."""
        if self.embedded and single_process_reason() and self._lock is None:
            self._lock = ProcessLock(self._path, wait=wait)

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _use(engine: Engine) -> ConnectionUse:
    pool = engine.pool
    assert isinstance(pool, FairQueuePool)
    return ConnectionUse(pool.checkedout(), pool.waiting)


@contextmanager
def _connection_errors() -> Iterator[None]:
    """Treat every driver error as unavailability: the first connection may fail in many ways."""
    try:
        with translate_errors():
            yield
    except (DBAPIError, TypeError, ValueError, OSError) as error:  # the last three: options of the URL
        raise StorageUnavailable(first_line(getattr(error, "orig", error))) from error


def describe(url: URL) -> str:
    """Describe a database without its password and its options, which may contain one."""
    if is_in_memory(url):
        return "SQLite in a temporary file (lost when the service ends)"
    if url.get_backend_name() == "sqlite":
        return f"SQLite {sqlite3.sqlite_version} file {Path(str(url.database)).resolve()}"
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)
