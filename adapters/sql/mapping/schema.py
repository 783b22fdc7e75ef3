"""The schema revisions that this code knows, the one that a database has, and what else its schema must be like."""

from pathlib import Path

from sqlalchemy import Connection, Engine, String, bindparam, column, inspect, select, table, text

from adapters.sql.mapping.tables import metadata
from service_layer.errors import SchemaMismatch, SchemaNewer

_PACKAGE = Path(__file__).parents[1]
MIGRATIONS = _PACKAGE / "history" if (_PACKAGE / "history").is_dir() else _PACKAGE.parents[1] / "alembic"
"""Alembic's folder: in the package if it is installed, at the top of a checkout."""

REVISIONS = tuple(sorted(path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py")))
"""All migrations, oldest first; from the names of their files, as startup need not import Alembic."""

_NOT_INNODB = text(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_name IN :tables"
    " AND coalesce(engine, '') <> 'InnoDB' ORDER BY table_name"
).bindparams(bindparam("tables", list(metadata.tables), expanding=True))

_version = table("alembic_version", column("version_num", String))


def current_revision(engine: Engine) -> str | None:
    """Return the revision of the database; None if it was never migrated."""
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.scalar(select(_version.c.version_num))


def check_revision(revision: str | None) -> None:
    """Check that the database has the newest revision that this code knows.

    :raises SchemaMismatch: the database must be migrated.
    :raises SchemaNewer: the database was migrated by a newer version of the service.
    """
    if revision == REVISIONS[-1]:
        return
    if revision is None:
        raise SchemaMismatch("the database is empty; run: belongings migrate")
    if revision in REVISIONS:
        raise SchemaMismatch(f"the database is at revision {revision}, not {REVISIONS[-1]}; run: belongings migrate")
    raise SchemaNewer(f"the database is at revision {revision}, which is newer than this service; run a newer one")


def check_server(connection: Connection) -> None:
    """Check what the service relies on: text in UTF-8 on PostgreSQL, and tables in InnoDB on MariaDB, whose other
    storage engines have no transactions or foreign keys.

    :raises SchemaMismatch: it is not so.
    """
    if connection.dialect.name == "postgresql":
        if (encoding := connection.scalar(text("SHOW server_encoding"))) != "UTF8":
            raise SchemaMismatch(f"the encoding of the database is {encoding}; it must be UTF8")
    elif connection.dialect.name == "mysql" and (others := connection.scalars(_NOT_INNODB).all()):
        raise SchemaMismatch(f"not InnoDB tables: {', '.join(others)}; copy them into a new database: belongings copy")
