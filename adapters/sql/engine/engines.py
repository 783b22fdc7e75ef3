"""Engines for writing, reading and scanning, with the settings that each database needs."""

import sqlite3
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from adapters.sql.engine.log_limit import limit_log
from adapters.sql.engine.options import check_options
from adapters.sql.engine.pool import FairQueuePool
from adapters.sql.engine.sqlite_files import create_private_files
from service_layer.deadline import seconds_left

_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}

_SERVER_TIMEOUT_SHARE = 0.9
"""The part of ``scan_wait`` after which the server cancels a statement. If the client timed out first, it would have to
close the connection, and the server would keep running the statement."""

_ISOLATION_LEVEL = "READ COMMITTED"
"""Of writers on PostgreSQL and MariaDB."""

_NO_PARALLEL_WORKERS = "-c max_parallel_workers_per_gather=0"
"""For PostgreSQL, where one scan could otherwise use up to three processors."""

_AUTOCOMMIT: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
"""For engines that only read: they need no transactions, so connections need no reset either."""


@dataclass(frozen=True, slots=True)
class Engines:
    """``writer`` runs units of work in transactions; ``reader`` runs views in autocommit; ``scanner`` runs views that
    may read many rows, on few connections and with a shorter timeout."""

    writer: Engine
    reader: Engine
    scanner: Engine

    def close(self) -> None:
        self.writer.dispose()
        self.scanner.dispose()
        self.reader.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Pool sizes, and timeouts in seconds.

    :param readers: connections of ``reader``.
    :param scanners: connections of ``scanner``.
    :param writers: connections of ``writer``; SQLite always has one.
    :param pool_wait: for getting a connection from the pool.
    :param connect_wait: for opening a connection.
    :param statement_wait: for a statement, and for a lock.
    :param scan_wait: for a statement of ``scanner``.
    :param deadline: for a whole request. The server ends a transaction that is idle for longer.
    """

    readers: int = 4
    scanners: int = 1
    writers: int = 4
    pool_wait: float = 3.0
    connect_wait: int = 3
    statement_wait: int = 4
    scan_wait: float = 2.0
    deadline: float = 5.0


def parse_url(text: str) -> URL:
    """Parse a database URL and set its driver.

    :raises ValueError: the URL is not valid, is ambiguous about where a password ends, names an unsupported database,
        or has an option that its driver does not support. The message does not contain the URL, which may contain a
        password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ValueError("is not a database URL, such as postgresql://user:password@host/name") from error
    kind = url.get_backend_name()
    if kind not in _DRIVERS:
        raise ValueError("must begin with sqlite://, postgresql://, mysql://, mariadb:// or memory://")
    if kind != "sqlite" and text.count("@") > (url.username is not None):  # a further one may be part of a password
        raise ValueError(
            "has an @ too many: write %40 for one in a user name, a password or an option, and %2F for a /"
        )
    if kind != "sqlite" and not url.database:
        raise ValueError("must end with the name of a database, such as postgresql://user:password@host/name")
    url = url.set(drivername=_DRIVERS[kind])
    check_options(url)
    return url


def is_in_memory(url: URL) -> bool:
    """Whether this is SQLite's ``:memory:``, which is lost when the process ends."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def create_engines(url: URL, limits: Limits) -> Engines:
    """Create a writer, a reader and a scanner engine; they connect on first use.

    SQLite has one writer connection, so that writers wait in the order of its pool instead of polling for the lock of
    the file. ``:memory:`` is a file in a temporary folder, since a real in-memory database allows one connection only.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, limits)
    options: dict[str, Any] = {"connect_args": _server_arguments(url, limits, limits.statement_wait)}
    postgresql = url.get_backend_name() == "postgresql"
    writer = create_engine(
        url, **options, **_pool(limits, limits.writers), isolation_level=_ISOLATION_LEVEL, pool_pre_ping=not postgresql
    )
    reader = create_engine(url, **options, **_pool(limits, limits.readers), **_AUTOCOMMIT)
    options["connect_args"] = _server_arguments(
        url, limits, _SERVER_TIMEOUT_SHARE * limits.scan_wait, _NO_PARALLEL_WORKERS
    )
    scanner = create_engine(url, **options, **_pool(limits, limits.scanners), **_AUTOCOMMIT)
    if postgresql:
        event.listen(writer, "checkout", _begin_on_checkout)
    for engine in (writer, reader, scanner):
        event.listen(engine, "do_connect", _connect_psycopg if postgresql else _connect_pymysql)
    return Engines(writer, reader, scanner)


def _connect_psycopg(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> object:
    from adapters.sql.engine.psycopg_deadlines import (
        DeadlineConnection,  # slow to import, and only needed here
    )

    return DeadlineConnection.connect(*arguments, **options)


def _connect_pymysql(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> object:
    from adapters.sql.engine.pymysql_deadlines import DeadlineConnection

    return DeadlineConnection(*arguments, **options)


def _begin_on_checkout(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Begin the transaction on checkout, which also replaces the pool's pre-ping.

    A new connection needs no ping; its transaction begins with the first statement.

    :raises InvalidatePoolError: the connection is broken; the pool then opens a new one.
    """
    if not record.info.setdefault("used", False):
        record.info["used"] = True
        return
    try:
        connection.begin(_ISOLATION_LEVEL)
    except connection.Error as error:
        raise InvalidatePoolError from error


def _pool(limits: Limits, size: int) -> dict[str, Any]:
    return {
        "poolclass": FairQueuePool,
        "pool_size": size,
        "max_overflow": 0,
        "pool_timeout": limits.pool_wait,
        "hide_parameters": True,
    }


def _server_arguments(url: URL, limits: Limits, statement: float, postgresql_options: str = "") -> dict[str, Any]:
    end = ceil(limits.deadline)
    lock = max(1, limits.statement_wait - 1)  # shorter, to tell a lock from a slow statement
    if url.get_backend_name() == "postgresql":
        arguments: dict[str, Any] = {
            "connect_timeout": limits.connect_wait,
            "application_name": "belongings",
            "client_encoding": "utf8",
            "options": f"-c timezone=UTC -c statement_timeout={ceil(statement * 1000)} -c lock_timeout={lock}s"
            f" -c idle_in_transaction_session_timeout={end}s {postgresql_options}",
        }
    else:
        arguments = {
            "charset": "utf8mb4",
            "connect_timeout": limits.connect_wait,
            "init_command": f"SET time_zone = '+00:00', innodb_lock_wait_timeout = {lock} "
            f"/*M!, max_statement_time = {statement}, idle_transaction_timeout = {end} */",
            "sql_mode": "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO",
        }
    return {name: value for name, value in arguments.items() if name not in url.query}


def _is_busy(error: BaseException | None) -> bool:
    """Whether SQLite reports that another connection is writing."""
    return isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def has_transaction(connection: Connection) -> bool:
    """Whether SQLite has an open transaction; errors such as a full disk roll it back."""
    driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]  # called for SQLite only
    return driver.in_transaction


_PROGRESS_STEPS = 100_000
"""SQLite instructions, about a millisecond's worth, between two checks of the deadline."""

_POLL_MILLISECONDS = 10
"""The busy timeout. SQLite polls for the lock of another process at growing intervals of up to 100 ms, so a busy
process would starve others. With repeated short timeouts it polls every few milliseconds."""


def _sqlite(url: URL, limits: Limits) -> Engines:
    folder = tempfile.TemporaryDirectory(prefix="belongings-") if is_in_memory(url) else None
    if folder is not None:
        url = url.set(database=str(Path(folder.name) / "memory.db"))
    arguments = {"timeout": limits.statement_wait, "check_same_thread": False}
    options: dict[str, Any] = {"connect_args": arguments, "paramstyle": "named"}
    writer = create_engine(url, **options, **_pool(limits, 1))
    reader = create_engine(url, **options, **_pool(limits, limits.readers), **_AUTOCOMMIT)
    scanner = create_engine(url, **options, **_pool(limits, limits.scanners), **_AUTOCOMMIT)

    for engine in (writer, reader, scanner):
        create_private_files(engine)
    gate = limit_log(writer, [reader, scanner])

    @event.listens_for(writer, "connect")
    def interrupt_after_deadline(connection: Any, _record: object) -> None:
        connection.set_progress_handler(lambda: not seconds_left(), _PROGRESS_STEPS)

    @event.listens_for(writer, "connect")
    def configure_writer(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # no implicit transactions: the "begin" event starts them
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # needed on macOS, ignored elsewhere
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA busy_timeout = {_POLL_MILLISECONDS}")

    @event.listens_for(writer, "begin")
    def begin_immediate(connection: Connection) -> None:
        with suppress(sqlite3.OperationalError):  # raised again below, as SQLAlchemy's error
            connection.connection.cursor().execute("BEGIN IMMEDIATE")
            return
        deadline = monotonic() + min(limits.statement_wait, seconds_left())
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if monotonic() > deadline or not _is_busy(error.orig):
                    raise
            else:
                return

    @event.listens_for(writer, "commit")
    def require_transaction(connection: Connection) -> None:
        if not has_transaction(connection):
            connection.exec_driver_sql("COMMIT")  # raises; the driver's own commit would silently do nothing

    @event.listens_for(reader, "connect")
    @event.listens_for(scanner, "connect")
    def configure_reader(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA query_only = ON")
        connection.set_progress_handler(lambda: gate.interrupts or not seconds_left(), _PROGRESS_STEPS)

    if folder is not None:
        event.listen(reader, "engine_disposed", lambda _engine: folder.cleanup())
    return Engines(writer, reader, scanner)
