"""Transactions that may take hours, on connections without the timeouts of requests."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, NullPool, create_engine, event, text

from adapters.sql.engine.engines import Limits, create_engines
from adapters.sql.engine.process_lock import ProcessLock, single_process_reason
from adapters.sql.mapping.schema import check_revision, check_server, current_revision
from adapters.sql.mapping.tables import data_tables
from adapters.sql.operations.migrations import connect_arguments, exclusive_connection, migrate
from adapters.sql.operations.sqlite_schema import check_sqlite_schema
from service_layer.errors import StorageUnavailable


@contextmanager
def snapshot(url: URL) -> Iterator[Connection]:
    """A read transaction on a consistent snapshot. It does not block writers.

    :raises SchemaMismatch: the schema is not the newest, or there is none.
    :raises StorageUnavailable: there is no such database, or it cannot be reached.
    """
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and not Path(str(url.database)).is_file():
        raise StorageUnavailable("there is no such file")  # SQLite would create it
    if sqlite:
        check_sqlite_schema(Path(str(url.database)))
    check_revision(_revision(url))
    options: dict[str, Any] = {} if sqlite else {"isolation_level": "REPEATABLE READ"}
    options["connect_args"] = connect_arguments(url)
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, **options)
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with engine.begin() as connection:
        if engine.dialect.name == "mysql":  # otherwise a copy onto itself waits for its own lock for a day
            connection.execute(text("SET SESSION lock_wait_timeout = 5"))
        _check_revision(connection)  # the first read, which starts the snapshot
        yield connection


@contextmanager
def exclusive_writer(url: URL) -> Iterator[Connection]:
    """A transaction that locks out other writers. A database without a schema is migrated first.

    It waits for running writers and for other exclusive writers.

    :raises SchemaMismatch: there is a schema, but not the newest.
    :raises StorageUnavailable: the database cannot be reached, or not by several processes.
    """
    with ExitStack() as stack:
        if url.get_backend_name() == "sqlite" and single_process_reason():
            stack.callback(ProcessLock(Path(str(url.database))).release)
        if url.get_backend_name() == "sqlite" and Path(str(url.database)).is_file():
            check_sqlite_schema(Path(str(url.database)))
        if _revision(url) is None:
            migrate(url)
        connection = stack.enter_context(exclusive_connection(url))
        _check_revision(connection)
        check_server(connection)
        names = [table.name for table in data_tables()]
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE"))
        elif connection.dialect.name == "mysql":  # locks out readers too; released with the connection
            connection.execute(text(f"LOCK TABLES {', '.join(f'{name} WRITE' for name in names)}"))
        yield connection


def _revision(url: URL) -> str | None:
    """Return the revision, with the short timeouts of requests, so an unreachable database is reported quickly."""
    try:
        with closing(create_engines(url, Limits())) as engines:
            return current_revision(engines.reader)
    except (TypeError, ValueError, OSError) as error:
        raise StorageUnavailable("the URL has an option that the driver does not take") from error


def _check_revision(connection: Connection) -> None:
    check_revision(connection.scalar(text("SELECT version_num FROM alembic_version")))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON")
