"""Engines: a database's writer and its readers, with what each database must be told."""

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

_SERVER_ENDS_AT = 0.9
"""The part of ``scan_wait`` after which the server ends a statement. A thread that gave up first would have to close
its connection, and the server would not notice before the statement has ended."""

_ISOLATION_LEVEL = "READ COMMITTED"
"""Of writers on PostgreSQL and MariaDB."""

_ONE_PROCESSOR = "-c max_parallel_workers_per_gather=0"
"""For PostgreSQL, where one scan would take up to three otherwise."""

_AUTOCOMMIT: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
"""For engines that only read: no transaction to begin, and none to end when a connection goes back."""


@dataclass(frozen=True, slots=True)
class Engines:
    """``writer`` runs units of work, each in a transaction; ``reader`` runs views, each statement by itself.
    ``scanner`` does as ``reader``, for views that may look at many rows: on few connections, for a shorter time."""

    writer: Engine
    reader: Engine
    scanner: Engine

    def close(self) -> None:
        self.writer.dispose()
        self.scanner.dispose()
        self.reader.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of the database is used, and for how long anybody waits for it (in seconds).

    :param readers: how many views can run at once.
    :param scanners: how many of those that may look at many rows can run at once, besides.
    :param writers: how many units of work can run at once; SQLite has one all the same.
    :param pool_wait: to get a connection out of the pool.
    :param connect_wait: to open a connection.
    :param statement_wait: for a statement, and for somebody else's lock.
    :param scan_wait: for what a thread asks of ``scanner``.
    :param deadline: for everything together. A transaction that is idle for longer has nobody any more to end it,
        and its server does.
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
    """The address of a database as people write it, with the driver that is installed.

    :raises ValueError: no address, one in which it is not clear where a password ends, or a kind of database
        that is not supported; the message does not repeat the text, which may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ValueError("is not a database URL, such as postgresql://user:password@host/name") from error
    kind = url.get_backend_name()
    if kind not in _DRIVERS:
        raise ValueError("must begin with sqlite://, postgresql://, mysql://, mariadb:// or memory://")
    if kind != "sqlite" and text.count("@") > (url.username is not None):  # one more may be of a password
        raise ValueError(
            "has an @ too many: write %40 for one in a user name, a password or an option, and %2F for a /"
        )
    if kind != "sqlite" and not url.database:
        raise ValueError("must end with the name of a database, such as postgresql://user:password@host/name")
    return url.set(drivername=_DRIVERS[kind])


def is_in_memory(url: URL) -> bool:
    """Whether this is SQLite's ``:memory:``, which ends with the process."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def create_engines(url: URL, limits: Limits) -> Engines:
    """A writer, a reader and a scanner engine; nothing connects before it is used.

    SQLite has one writer connection, so that writers queue fairly in its pool instead of polling
    for the file's lock. Its ``:memory:`` is a file in a temporary folder, since a database in
    memory proper has room for one connection only.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, limits)
    options: dict[str, Any] = {"connect_args": _server_arguments(url, limits, limits.statement_wait)}
    postgresql = url.get_backend_name() == "postgresql"
    writer = create_engine(
        url, **options, **_pool(limits, limits.writers), isolation_level=_ISOLATION_LEVEL, pool_pre_ping=not postgresql
    )
    reader = create_engine(url, **options, **_pool(limits, limits.readers), **_AUTOCOMMIT)
    options["connect_args"] = _server_arguments(url, limits, _SERVER_ENDS_AT * limits.scan_wait, _ONE_PROCESSOR)
    scanner = create_engine(url, **options, **_pool(limits, limits.scanners), **_AUTOCOMMIT)
    if postgresql:
        event.listen(writer, "checkout", _begin_on_checkout)
    for engine in (writer, reader, scanner):
        event.listen(engine, "do_connect", _connect_psycopg if postgresql else _connect_pymysql)
    return Engines(writer, reader, scanner)


def _connect_psycopg(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> object:
    from adapters.sql.engine.psycopg_deadlines import (
        DeadlineConnection,  # it takes its time to load, and only this needs it
    )

    return DeadlineConnection.connect(*arguments, **options)


def _connect_pymysql(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> object:
    from adapters.sql.engine.pymysql_deadlines import DeadlineConnection

    return DeadlineConnection(*arguments, **options)


def _begin_on_checkout(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Begin the transaction with what would be a ping: it tells as well whether the server is there.

    A connection that is new needs no ping, and begins with its first statement.

    :raises InvalidatePoolError: it is not, on which the pool connects anew.
    """
    if not record.info.setdefault("was used", False):
        record.info["was used"] = True
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
    lock = max(1, limits.statement_wait - 1)  # so that it is told from a statement that is slow by itself, from 2 s on
    if url.get_backend_name() == "postgresql":
        arguments: dict[str, Any] = {
            "connect_timeout": limits.connect_wait,
            "application_name": "belongings",
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
    """Whether SQLite says that somebody else writes."""
    return isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def has_transaction(connection: Connection) -> bool:
    """Whether SQLite is in one: a full disk and the like make it end one by itself."""
    driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]  # for SQLite only
    return driver.in_transaction


_STEPS_BETWEEN_LOOKS = 100_000
"""About a millisecond of SQLite's work, after which it looks whether there is time for more."""

_POLL_MILLISECONDS = 10
"""SQLite polls for another process's lock ever more rarely, up to ten times a second, and a busy
process starves the others so. Asked anew every 10 ms it polls every few."""


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
    def look_at_the_time(connection: Any, _record: object) -> None:
        connection.set_progress_handler(lambda: not seconds_left(), _STEPS_BETWEEN_LOOKS)

    @event.listens_for(writer, "connect")
    def start_writer(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # no transactions that nobody asked for: "begin" below starts them
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # on macOS only this reaches the disk; elsewhere it is nothing
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA busy_timeout = {_POLL_MILLISECONDS}")

    @event.listens_for(writer, "begin")
    def begin_immediate(connection: Connection) -> None:
        with suppress(sqlite3.OperationalError):  # told below, in SQLAlchemy's words
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
    def expect_transaction(connection: Connection) -> None:
        if not has_transaction(connection):
            connection.exec_driver_sql("COMMIT")  # which is an error; the driver's own would do nothing, and not tell

    @event.listens_for(reader, "connect")
    @event.listens_for(scanner, "connect")
    def start_reader(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA query_only = ON")
        connection.set_progress_handler(lambda: gate.interrupts or not seconds_left(), _STEPS_BETWEEN_LOOKS)

    if folder is not None:
        event.listen(reader, "engine_disposed", lambda _engine: folder.cleanup())
    return Engines(writer, reader, scanner)
