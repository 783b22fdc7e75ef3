"""Running Alembic migrations, one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationInfo
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import URL, Connection, NullPool, create_engine, event, text

from adapters.sql.engine.errors import translate_errors
from adapters.sql.engine.sqlite_files import create_private_files
from adapters.sql.mapping.schema import MIGRATIONS, REVISIONS, check_server, current_revision
from service_layer.errors import StorageUnavailable
from service_layer.ports import Migration

_LOCK_TIMEOUT = 600
"""Seconds to wait for another process that is migrating."""

INNODB_BY_DEFAULT = "SET SESSION default_storage_engine = InnoDB"
"""For MariaDB, whose other storage engines have neither transactions nor foreign keys, and could be its default."""

_LOCK_ID = 0x62656C6F6E67  # "belong", for PostgreSQL, whose advisory locks are numbers


def config(url: URL) -> Config:
    """Alembic's configuration for this database, as ``alembic/env.py`` expects it."""
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.attributes["url"] = url
    return configuration


def migrate(url: URL, revision: str = "head") -> list[Migration]:
    """Upgrade or downgrade the database to a revision; return the migrations that were run.

    :param revision: ``head``, ``base``, one of ``REVISIONS``, or ``+n`` and ``-n`` steps.
    :raises ValueError: the revision does not exist.
    :raises StorageUnavailable: the database cannot be reached.
    :raises SchemaMismatch: its encoding is not UTF-8.
    """
    steps: list[Migration] = []

    def note(*, step: MigrationInfo, **_: object) -> None:
        title = cast(Script, step.up_revision).doc.rstrip(".")
        steps.append(Migration("up" if step.is_upgrade else "down", str(step.up_revision_id), title))

    configuration = config(url)
    configuration.attributes["on_version_apply"] = note
    with translate_errors():
        try:
            if _is_down(url, revision):
                command.downgrade(configuration, revision)
            else:
                command.upgrade(configuration, revision)
        except CommandError as error:
            raise ValueError(str(error)) from error
    return steps


def _is_down(url: URL, revision: str) -> bool:
    if revision not in REVISIONS:
        return revision == "base" or revision.startswith("-")
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=connect_arguments(url))
    if engine.dialect.name == "sqlite":
        create_private_files(engine)
    current = current_revision(engine)
    return current in REVISIONS and REVISIONS.index(revision) < REVISIONS.index(current)


@contextmanager
def exclusive_connection(url: URL) -> Iterator[Connection]:
    """A transaction that only one process can hold at a time; others wait.

    On PostgreSQL and SQLite it is atomic. MariaDB commits each DDL statement by itself, so migrations must be
    repeatable after a partial run.
    """
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=connect_arguments(url))
    if engine.dialect.name == "sqlite":
        create_private_files(engine)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                check_server(connection)
                connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}s'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
            elif engine.dialect.name == "mysql":
                lock = {"name": f"belongings {url.database}"[:64], "timeout": _LOCK_TIMEOUT}
                if connection.scalar(text("SELECT GET_LOCK(:name, :timeout)"), lock) != 1:  # ends with the connection
                    raise StorageUnavailable("another process has been migrating for too long")
                connection.execute(text(INNODB_BY_DEFAULT))
            yield connection
    finally:
        engine.dispose()


def connect_arguments(url: URL) -> dict[str, Any]:
    """A long timeout for locks on SQLite; on PostgreSQL, text even from a database without an encoding (SQL_ASCII)."""
    arguments: dict[str, dict[str, Any]] = {
        "sqlite": {"timeout": _LOCK_TIMEOUT},
        "postgresql": {"client_encoding": "utf8"},
    }
    return arguments.get(url.get_backend_name(), {})


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
