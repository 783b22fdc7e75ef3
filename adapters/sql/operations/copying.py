"""Copying everything from one SQL database into another, whatever kind each is.

The source is read in one transaction, so that the copy shows one moment of it even while a service
writes there. The target is written in one transaction too, behind locks that keep writers out until
it is committed. So a run that was killed at any point leaves no rows and can be run again, nobody ever
sees half a copy, and what was checked is what is committed. Batches that are committed one by one,
with a mark of how far they came, would have to tell their rows from those that a service adds
between them. One transaction costs little: PostgreSQL does not notice its size, SQLite's log grows
to the size of the copy, and MariaDB takes a while to undo a run that was killed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from hashlib import blake2b
from typing import Any

from sqlalchemy import URL, Connection, RowMapping, Select, Table, false, func, insert, or_, select
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from adapters.sql.engine.errors import first_line
from adapters.sql.mapping.removals import is_visible
from adapters.sql.mapping.tables import data_tables
from adapters.sql.operations.id_sequences import advance_sequence, last_id
from adapters.sql.operations.long_transactions import exclusive_writer, snapshot
from adapters.sql.operations.row_problems import foreign_key_violations
from service_layer.errors import SchemaMismatch, StorageUnavailable
from service_layer.operations import OperationFailed, Progress

_BATCH = 1_000
"""Rows in memory at once; some 40 MB of text where all of it is as long as can be."""

_WHICH = "to see which, run belongings check on the source"


def copy(source: URL, target: URL, progress: Progress) -> dict[str, int]:
    """Copy all users and items as they are, with their ids and versions; how many rows each table has.

    Receipts are left behind: they are for clients that ask again within a day, and no user or item needs them. So are
    removed users whose items are not all deleted yet.
    A target without a schema is migrated. When this returns, both sides had as many rows with the same
    digest over all of them, and the target will give no id that either of the two ever gave.

    :raises OperationFailed: the target has rows; a schema is not the newest one, or the source has none;
        a database cannot be reached or refuses; or the two sides differ in the end.
    """
    with _wrap_errors("the copy failed"), ExitStack() as stack:
        if source == target:
            raise OperationFailed("the source and the target are the same database")
        with _wrap_errors("source"):
            given = stack.enter_context(snapshot(source))
        with _wrap_errors("target"):
            taken = stack.enter_context(exclusive_writer(target))
        if any(taken.scalar(select(table.c.id).limit(1)) for table in data_tables()):
            raise OperationFailed("target: it is not empty")
        for table in data_tables():
            if given.scalar(select(table.c.id).where(or_(false(), *foreign_key_violations(table))).limit(1)):
                raise OperationFailed(f"source: {table.name} belong to rows that are not there; {_WHICH}")
        for table in data_tables():  # before all rows: it may commit
            advance_sequence(taken, table, last_id(given, table))
        return {table.name: _copy_table(given, taken, table, progress) for table in data_tables()}


def _copy_table(given: Connection, taken: Connection, table: Table, progress: Progress) -> int:
    rows, store = select(table).where(is_visible(table)), partial(taken.execute, insert(table))
    sent = _for_each_batch(given, rows, partial(progress, f"copying {table.name}"), store)
    kept = _for_each_batch(taken, select(table), partial(progress, f"checking {table.name}"))
    if sent != kept:
        raise OperationFailed(
            f"the {table.name} differ: {sent[0]} ({sent[1]}) were sent, {kept[0]} ({kept[1]}) arrived"
        )
    return sent[0]


def _for_each_batch(
    connection: Connection,
    rows: Select[Any],
    progress: Callable[[int, int], object],
    each: Callable[[Sequence[RowMapping]], object] = len,
) -> tuple[int, str]:
    """Call ``each`` with every batch, in id order; return how many rows there are, and their digest."""
    id = rows.selected_columns.id
    total = connection.scalar(select(func.count()).select_from(rows.subquery())) or 0
    count, last, digest = 0, 0, blake2b(digest_size=16)
    page = rows.order_by(id).limit(_BATCH)
    while batch := connection.execute(page.where(id > last)).mappings().all():
        each(batch)
        for row in batch:
            digest.update(repr(tuple(row.values())).encode())
        count, last = count + len(batch), batch[-1]["id"]
        progress(count, total)
    if count != total:
        raise OperationFailed(f"{total} rows were counted, but {count} found; {_WHICH}")
    return count, digest.hexdigest()


@contextmanager
def _wrap_errors(who: str) -> Iterator[None]:
    try:
        yield
    except (SchemaMismatch, StorageUnavailable) as error:
        raise OperationFailed(f"{who}: {getattr(error, 'reason', error)}") from error
    except SQLAlchemyError as error:
        which = f"; {_WHICH}" if isinstance(error, DataError | IntegrityError) else ""  # a row that was refused
        raise OperationFailed(f"{who}: {first_line(getattr(error, 'orig', error))}{which}") from error
