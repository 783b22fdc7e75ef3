"""Which schema this code was written for, and which one a database has."""

from sqlalchemy import Engine, String, column, inspect, select, table

from service_layer.errors import SchemaMismatch, SchemaNewer

REVISIONS = ("0001", "0002", "0003", "0004")
"""All migrations, oldest first. Kept here so that a start need not load Alembic; a test compares."""

_version = table("alembic_version", column("version_num", String))


def current_revision(engine: Engine) -> str | None:
    """The revision that the database was last migrated to; None before the first."""
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.scalar(select(_version.c.version_num))


def check_revision(revision: str | None) -> None:
    """Return if the database is at the newest revision that this code knows.

    :raises SchemaMismatch: it is behind, and ``belongings migrate`` is to be run; or it was
        migrated by a newer version of this service, which is to be run instead.
    """
    if revision == REVISIONS[-1]:
        return
    if revision is None:
        raise SchemaMismatch("the database is empty; run: belongings migrate")
    if revision in REVISIONS:
        raise SchemaMismatch(f"the database is at revision {revision}, not {REVISIONS[-1]}; run: belongings migrate")
    raise SchemaNewer(f"the database is at revision {revision}, which is newer than this service; run a newer one")
