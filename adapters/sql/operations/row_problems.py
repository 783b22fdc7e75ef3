"""Finding rows that break a foreign key, a column type or an invariant of the domain."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Delete,
    Dialect,
    RowMapping,
    Table,
    Update,
    and_,
    delete,
    exists,
    select,
    type_coerce,
    update,
)
from sqlalchemy.types import NullType, TypeDecorator

from adapters.sql.mapping.removals import is_visible
from adapters.sql.mapping.tables import ENTITIES, removed_users
from domain.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A problem of a row.

    :param problem: a description without any value of the row.
    :param repair: the statement that repairs it, or None if a person must decide.
    """

    table: Table
    id: int
    problem: str
    repair: Delete | Update | None = None


def find_problems(
    connection: Connection, table: Table, which: ColumnElement[bool], *, limit: int | None = None, lock: bool = False
) -> tuple[list[RowProblem], int | None]:
    """Return the problems of some rows in id order, and the id of the last row, or None if there are no rows.

    Hidden rows of removed users are ignored. Each statement reads a consistent snapshot, so a user who is deleted
    meanwhile causes no problem.

    :param lock: lock the rows until the transaction ends.
    """
    columns = [type_coerce(column, NullType()).label(column.name) for column in table.c]  # raw driver values
    statement = (
        select(*columns, *foreign_key_violations(table))
        .where(which, is_visible(table))
        .order_by(table.c.id)
        .limit(limit)
    )
    rows = connection.execute(statement.with_for_update() if lock else statement).mappings().all()
    faults = [fault for row in rows for fault in _faults(table, row, connection.dialect)]
    return faults, rows[-1]["id"] if rows else None


def find_orphaned_marks(connection: Connection) -> list[RowProblem]:
    """Return a problem for each row of ``removed_users`` whose user does not exist."""
    orphaned = select(removed_users.c.user_id).where(*foreign_key_violations(removed_users))
    return [
        RowProblem(
            removed_users,
            user_id,
            "user_id refers to a row that does not exist",
            delete(removed_users).where(removed_users.c.user_id == user_id),
        )
        for user_id in connection.scalars(orphaned.order_by(removed_users.c.user_id))
    ]


def foreign_key_violations(table: Table) -> Iterator[ColumnElement[bool]]:
    """For each foreign key, a condition for rows whose referenced row does not exist."""
    for key in table.foreign_keys:
        target = key.column.table.alias()
        found = exists().where(target.c[key.column.name] == key.parent)
        yield and_(key.parent.is_not(None), ~found).label(f"{key.parent.name} is violated")


def _faults(table: Table, row: RowMapping, dialect: Dialect) -> Iterator[RowProblem]:
    id = row["id"]
    this = table.c.id == id
    if id < 1:
        yield RowProblem(table, id, "id must be at least 1")
    for key in table.foreign_keys:
        if row[f"{key.parent.name} is violated"]:
            yield RowProblem(
                table, id, f"{key.parent.name} refers to a row that does not exist", delete(table).where(this)
            )
            return
    wrong = [column.name for column in table.c if not _fits(column, row[column.name])]
    for name in wrong:
        yield RowProblem(table, id, f"{name} has a value of the wrong type")
    if wrong:
        return
    kind = ENTITIES[table].entity
    given = {field.name: _value(table.c[field.name], row, dialect) for field in fields(kind) if field.init}
    try:
        entity = kind(**given)
    except InvalidValue as error:
        yield RowProblem(table, id, str(error))
        return
    for name in [field.name for field in fields(kind) if not field.init and field.name in table.c]:
        if getattr(entity, name) != row[name]:
            derived = {name: getattr(entity, name)}
            yield RowProblem(table, id, f"{name} is out of date", update(table).where(this).values(derived))


def _fits(column: Column[Any], value: object) -> bool:
    """Whether a value has its column's type; SQLite stores any value in any column."""
    if value is None:
        return bool(column.nullable)
    stored = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    if stored.python_type is bool:
        return value in (0, 1)
    return isinstance(value, stored.python_type)


def _value(column: Column[Any], row: RowMapping, dialect: Dialect) -> Any:
    processor = column.type.dialect_impl(dialect).result_processor(dialect, None)
    return processor(row[column.name]) if processor else row[column.name]
