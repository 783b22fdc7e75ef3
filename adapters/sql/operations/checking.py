"""Checking a database row by row, and repairing what can be repaired.

Rows are read in batches by id, one statement each and without a transaction, so a service can use the database
meanwhile, and neither memory nor a log grows with its size.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, Table, event, true
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from adapters.sql.engine.engines import Engines, Limits, create_engines
from adapters.sql.engine.errors import first_line, translate_errors
from adapters.sql.mapping.schema import check_revision, check_server, current_revision
from adapters.sql.mapping.tables import data_tables
from adapters.sql.operations.backup import back_up, exclusive_process
from adapters.sql.operations.row_problems import RowProblem, find_orphaned_marks, find_problems
from adapters.sql.operations.sqlite_schema import check_sqlite_schema
from service_layer.errors import SchemaMismatch, StorageUnavailable
from service_layer.operations import Finding

_BATCH = 500
"""Rows per batch; up to 40 MB of text."""

_MESSAGES = 100
"""The most findings that SQLite's own check reports."""

_NOT_REPAIRED = "not repaired"


def check(url: URL) -> Iterator[Finding]:
    """Check a database without changing it. A service may use it meanwhile.

    :raises StorageUnavailable: there is no such database, or it cannot be reached.
    """
    with _open(url) as engines:
        damaged = list(_check_file_and_schema(engines))
        yield from damaged or _check_server(engines)
        for table in [] if damaged else data_tables():
            for faults in _batches(engines.reader, table):
                yield from (Finding(_place(fault), fault.problem) for fault in faults)
        if not damaged:
            with engines.reader.connect() as connection:
                marks = find_orphaned_marks(connection)
            yield from (Finding(_place(fault), fault.problem) for fault in marks)


def repair(url: URL, back_up: Callable[[], object]) -> Iterator[Finding]:
    """Check a database and repair what can be repaired. Rows that break a rule need a decision by a person.

    :param back_up: called once, before the first change.
    :raises StorageUnavailable: there is no such database, it cannot be reached, or a service must be stopped first.
    """
    with ExitStack() as stack:
        engines = stack.enter_context(_open(url))
        if url.get_backend_name() == "sqlite":
            stack.enter_context(exclusive_process(Path(str(url.database))))
        damaged = list(_check_file_and_schema(engines)) or list(_check_server(engines))
        yield from damaged
        backed_up = False
        for table in [] if damaged else data_tables():
            for faults in _batches(engines.reader, table):
                if not backed_up and any(fault.repair is not None for fault in faults):
                    back_up()
                    backed_up = True
                yield from _repair_rows(engines.writer, table, faults)
        if not damaged:
            yield from _repair_marks(engines, (lambda: None) if backed_up else back_up)


def back_up_before_repair(database: Path) -> Path:
    """Copy a SQLite file into a new one next to it, without checking its rows; return its path."""
    file = database.with_name(f"{database.name}-before-repair-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    back_up(database, file, lambda *_: None, overwrite=False, allow_orphans=True)
    return file


def _place(fault: RowProblem) -> str:
    return f"{fault.table.name} {fault.id}"


def _check_file_and_schema(engines: Engines) -> Iterator[Finding]:
    """Find damage because of which rows cannot be read or trusted."""
    if engines.reader.dialect.name == "sqlite":
        with engines.reader.connect() as connection:
            for (message,) in connection.exec_driver_sql(f"PRAGMA integrity_check({_MESSAGES})"):
                lines = [line for line in message.splitlines() if line != "ok" and not line.startswith("***")]
                yield from (Finding("file", f"{line} (restore a backup)") for line in lines)
        try:
            check_sqlite_schema(Path(str(engines.reader.url.database)))
        except SchemaMismatch as error:
            yield Finding("schema", str(error))
            return
    try:
        check_revision(current_revision(engines.reader))
    except SchemaMismatch as error:
        yield Finding("schema", str(error))


def _check_server(engines: Engines) -> Iterator[Finding]:
    try:
        with engines.reader.connect() as connection:
            check_server(connection)
    except SchemaMismatch as error:
        yield Finding("schema", str(error))


def _batches(reader: Engine, table: Table) -> Iterator[list[RowProblem]]:
    last: int | None = None
    while True:
        with reader.connect() as connection:
            which = true() if last is None else table.c.id > last
            faults, last = find_problems(connection, table, which, limit=_BATCH)
        if last is None:
            return
        yield faults


def _repair_rows(writer: Engine, table: Table, faults: list[RowProblem]) -> list[Finding]:
    """Lock the rows that can be repaired, check them again, and repair them in one transaction."""
    found = [Finding(_place(fault), fault.problem, _NOT_REPAIRED) for fault in faults if fault.repair is None]
    ids = [fault.id for fault in faults if fault.repair is not None]
    if ids:
        with writer.begin() as connection:
            locked, _ = find_problems(connection, table, table.c.id.in_(ids), lock=True)
            found += [_repair(connection, fault) for fault in locked if fault.repair is not None]
    return found


def _repair_marks(engines: Engines, back_up: Callable[[], object]) -> list[Finding]:
    with engines.reader.connect() as connection:
        found = find_orphaned_marks(connection)
    if not found:
        return []
    back_up()
    with engines.writer.begin() as connection:
        return [_repair(connection, fault) for fault in find_orphaned_marks(connection)]


def _repair(connection: Connection, fault: RowProblem) -> Finding:
    assert fault.repair is not None
    try:
        with connection.begin_nested():
            connection.execute(fault.repair)
    except IntegrityError:
        return Finding(_place(fault), fault.problem, f"{_NOT_REPAIRED}, because another row has the correct value")
    return Finding(_place(fault), fault.problem, "deleted" if fault.repair.is_delete else "updated", left=False)


@contextmanager
def _open(url: URL) -> Iterator[Engines]:
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        raise StorageUnavailable("there is no such file")  # SQLite would create it
    try:
        with translate_errors(), closing(create_engines(url, Limits())) as engines:
            if url.get_backend_name() == "sqlite":
                for engine in (engines.reader, engines.writer):
                    event.listen(engine, "connect", _read_any_text)
            yield engines
    except (SQLAlchemyError, TypeError, ValueError, OSError) as error:  # the last three: options of the URL
        raise StorageUnavailable(first_line(getattr(error, "orig", error))) from error


def _read_any_text(connection: sqlite3.Connection, _record: object) -> None:
    """Read invalid UTF-8 as text that breaks a rule, instead of raising an error."""
    connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
