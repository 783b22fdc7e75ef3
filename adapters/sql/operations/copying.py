"""Copying all data from one SQL database into another, of the same or another kind.

The source is read in one transaction, so the copy is a consistent snapshot even while a service writes to it. The
target is written in one transaction too, with locks that keep other writers out. So a run that was killed leaves no
rows and can be repeated, no client sees a partial copy, and the data that was checked is the data that is committed.
With a commit per batch, a restarted run could not tell its own rows from those that a service added. One transaction
costs little: its size does not matter to PostgreSQL, SQLite's log grows to the size of the copy, and MariaDB takes a
while to roll back a run that was killed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from hashlib import blake2b
from typing import Any

from sqlalchemy import URL, Connection, RowMapping, Select, Table, false, func, insert, or_, select
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError

from adapters.sql.engine.errors import first_line
from adapters.sql.mapping.removals import is_visible
from adapters.sql.mapping.tables import data_tables
from adapters.sql.operations.id_sequences import advance_sequence, last_id
from adapters.sql.operations.long_transactions import exclusive_writer, snapshot
from adapters.sql.operations.row_problems import foreign_key_violations
from service_layer.errors import SchemaMismatch, StorageUnavailable
from service_layer.operations import OperationFailed, Progress

_BATCH = 1_000
"""Rows per batch; up to 40 MB of text."""

_CHECK_HINT = "to see which, run belongings check on the source"


def copy(source: URL, target: URL, progress: Progress) -> dict[str, int]:
    """Copy all users and items with their ids and versions; return the number of rows of each table.

    Idempotency records are not copied: they expire within a day, and no user or item needs them. Removed users whose
    items are not all deleted yet are not copied either. A target without a schema is migrated first. At the end, the
    rows of both sides have been counted and their digests compared, and the target will never assign an id that either
    of them has assigned.

    :raises OperationFailed: the target has rows; a schema is out of date, or the source has none; a database is
        unreachable or reports an error; or the two sides differ at the end.
    """
    with _wrap_errors("the copy failed"), ExitStack() as stack:
        if source == target:
            raise OperationFailed("the source and the target are the same database")
        with _wrap_errors("source"):
            source_db = stack.enter_context(snapshot(source))
        with _wrap_errors("target"):
            target_db = stack.enter_context(exclusive_writer(target))
        if any(target_db.scalar(select(table.c.id).limit(1)) for table in data_tables()):
            raise OperationFailed("target: it is not empty")
        for table in data_tables():
            if source_db.scalar(select(table.c.id).where(or_(false(), *foreign_key_violations(table))).limit(1)):
                raise OperationFailed(f"source: {table.name} refer to rows that do not exist; {_CHECK_HINT}")
        for table in data_tables():  # before all rows: it may commit
            advance_sequence(target_db, table, last_id(source_db, table))
        return {table.name: _copy_table(source_db, target_db, table, progress) for table in data_tables()}


def _copy_table(source_db: Connection, target_db: Connection, table: Table, progress: Progress) -> int:
    rows, store = select(table).where(is_visible(table)), partial(target_db.execute, insert(table))
    sent = _for_each_batch(source_db, rows, partial(progress, f"copying {table.name}"), store)
    kept = _for_each_batch(target_db, select(table), partial(progress, f"checking {table.name}"))
    if sent != kept:
        raise OperationFailed(
            f"the {table.name} differ: {sent[0]} ({sent[1]}) were sent, {kept[0]} ({kept[1]}) arrived; {_CHECK_HINT}"
        )
    return sent[0]


def _for_each_batch(
    connection: Connection,
    rows: Select[Any],
    progress: Callable[[int, int], object],
    each: Callable[[Sequence[RowMapping]], object] = len,
) -> tuple[int, str]:
    """Call ``each`` with every batch, in id order; return the number of rows and their digest."""
    id = rows.selected_columns.id
    total = connection.scalar(select(func.count()).select_from(rows.subquery())) or 0
    count, last, digest = 0, 0, blake2b(digest_size=16)
    page = rows.order_by(id).limit(_BATCH)
    while batch := _read(connection, page.where(id > last)):
        each(batch)
        for row in batch:
            digest.update(repr(tuple(row.values())).encode())
        count, last = count + len(batch), batch[-1]["id"]
        progress(count, total)
    if count != total:
        raise OperationFailed(f"{total} rows were counted, but {count} found; {_CHECK_HINT}")
    return count, digest.hexdigest()


def _read(connection: Connection, rows: Select[Any]) -> Sequence[RowMapping]:
    """Return rows. An error because of a value of the wrong type, or of text that is not UTF-8, contains the value."""
    try:
        return connection.execute(rows).mappings().all()
    except (ArithmeticError, TypeError, ValueError) as error:
        raise OperationFailed(f"a value cannot be read; {_CHECK_HINT}") from error
    except OperationalError as error:
        if "Could not decode" not in str(error.orig):
            raise
        raise OperationFailed(f"a value cannot be read; {_CHECK_HINT}") from error


@contextmanager
def _wrap_errors(subject: str) -> Iterator[None]:
    try:
        yield
    except (SchemaMismatch, StorageUnavailable) as error:
        raise OperationFailed(f"{subject}: {getattr(error, 'reason', error)}") from error
    except SQLAlchemyError as error:
        which = f"; {_CHECK_HINT}" if isinstance(error, DataError | IntegrityError) else ""  # a row that was refused
        raise OperationFailed(f"{subject}: {first_line(getattr(error, 'orig', error))}{which}") from error
