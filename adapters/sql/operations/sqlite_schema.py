"""Comparing the schema of a SQLite file with that of its revision.

In a file from elsewhere, a trigger could delete rows whenever others are written, and a view could have endless rows.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import URL

from adapters.sql.engine.errors import first_line
from adapters.sql.mapping.schema import REVISIONS
from service_layer.errors import SchemaMismatch

_PARTS = {
    "table": (
        'SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)',
        'SELECT "table", "from", "to", on_delete FROM pragma_foreign_key_list(?)',
    ),
    "index": ("SELECT name FROM pragma_index_info(?)",),
}


def check_sqlite_schema(file: Path) -> None:
    """:raises SchemaMismatch: the schema has other triggers, views, tables, columns or indexes than its revision."""
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as connection:
        try:
            problem = schema_problem(connection)
        except sqlite3.Error as error:
            raise SchemaMismatch(first_line(error)) from error
        if problem:
            raise SchemaMismatch(problem)


def schema_problem(connection: sqlite3.Connection) -> str | None:
    """Return what differs from the schema of the file's revision; None if nothing does, or if it has no known revision.

    Indexes whose name begins with ``own_`` belong to the operator. No row is read before all views are known.
    """
    objects = _objects(connection)
    for kind, name, *_ in objects:
        if kind not in _PARTS:
            return f"the file has what no revision has: {kind} {name!r}"
    try:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
    except sqlite3.OperationalError:
        return None
    differences = objects ^ _objects_at(revision) if revision in REVISIONS else None
    if not differences:
        return None
    kind, name, *_ = min(differences, key=lambda each: each[:2])
    return f"the schema is not that of revision {revision}: {kind} {name!r}"


def _objects_at(revision: str) -> set[tuple[Any, ...]]:
    from adapters.sql.operations.migrations import migrate  # imports Alembic, which takes long

    with TemporaryDirectory(prefix="belongings-") as folder:
        file = f"{folder}/empty.db"
        migrate(URL.create("sqlite", database=file), revision)
        with closing(sqlite3.connect(file)) as connection:
            return _objects(connection)


def _objects(connection: sqlite3.Connection) -> set[tuple[Any, ...]]:
    """Each object of the schema: its kind, name and table, and its columns and foreign keys."""
    return {
        (*each, *(part for query in _PARTS.get(each[0], ()) for part in connection.execute(query, each[1:2])))
        for each in connection.execute("SELECT type, name, tbl_name FROM sqlite_master").fetchall()
        if (each[0], each[1][:7]) != ("table", "sqlite_") and (each[0], each[1][:4]) != ("index", "own_")
    }
