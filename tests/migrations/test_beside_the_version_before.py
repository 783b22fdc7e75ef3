"""The version before can go on writing after a migration, so that both can run while one replaces the other."""

from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    NullPool,
    Table,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from adapters.sql.engine.engines import parse_url
from adapters.sql.mapping.schema import REVISIONS
from adapters.sql.operations.migrations import migrate

BROKE_IT = "0003"
"""The one migration that does not keep to this; no version without it was ever released."""

STEPS = [(before, after) for before, after in pairwise(REVISIONS) if after != BROKE_IT]


def value(column: Column[Any], n: int) -> object:
    """Something that a column can hold."""
    values: dict[type, object] = {str: f"{column.name[:8]} {n}", int: n, bool: True}
    return values[column.type.python_type]


def row(table: Table, n: int) -> dict[str, object]:
    """Values for all columns but the id, those of foreign keys left out."""
    return {column.name: value(column, n) for column in table.c if column.name != "id" and not column.foreign_keys}


def write_as_before(connection: Connection, tables: list[Table]) -> None:
    """Insert, change, read and delete a row of each table, by all the columns that it had."""
    kept: dict[str, Any] = {}
    for table in tables:
        owners = {column.name: kept[key.column.table.name] for column in table.c for key in column.foreign_keys}
        key = connection.execute(insert(table), row(table, 1) | owners).inserted_primary_key
        assert key is not None
        (kept[table.name],) = key
        (primary,) = table.primary_key
        this = primary == kept[table.name]
        changes = {name: value for name, value in row(table, 2).items() if name != primary.name}
        connection.execute(update(table).where(this).values(changes))
        found = connection.execute(select(table).where(this)).mappings().one()
        assert {name: found[name] for name in changes} == changes
    for table in reversed(tables):
        (primary,) = table.primary_key
        connection.execute(delete(table).where(primary == kept[table.name]))


def step(url: str, before: str, after: str) -> None:
    """Migrate from one revision to another, and write by the tables of the first: before, and after."""
    migrate(parse_url(url), before)
    engine = create_engine(parse_url(url), poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA foreign_keys = ON"))
    metadata = MetaData()
    metadata.reflect(engine)
    tables = [table for table in metadata.sorted_tables if table.name != "alembic_version"]
    assert tables
    for revision in (before, after):
        migrate(parse_url(url), revision)
        with engine.begin() as connection:
            write_as_before(connection, tables)


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_after_a_migration_the_version_before_can_go_on_writing(empty_url: str, before: str, after: str) -> None:
    step(empty_url, before, after)


def test_a_migration_beside_which_the_version_before_cannot_write_is_noticed(empty_url: str) -> None:
    """0003 is one on servers: its text to search in has no default there."""
    if empty_url.startswith("sqlite"):
        step(empty_url, "0002", BROKE_IT)
    else:
        with pytest.raises(DBAPIError, match="search_text"):
            step(empty_url, "0002", BROKE_IT)
