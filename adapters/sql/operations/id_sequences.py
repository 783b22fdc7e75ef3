"""The sequences of ids, which must not restart in a copy."""

from sqlalchemy import Connection, Table, func, select, text

_LAST = {
    "sqlite": "SELECT seq FROM sqlite_sequence WHERE name = :table",
    "postgresql": "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:table, 'id') AS regclass))",
    "mysql": "SELECT auto_increment - 1 FROM information_schema.tables"
    " WHERE table_schema = database() AND table_name = :table",
}


def last_id(connection: Connection, table: Table) -> int:
    """Return the greatest id that the table ever assigned, even if its row was deleted; 0 if none."""
    if not getattr(connection.dialect, "is_mariadb", True):
        connection.execute(text("SET SESSION information_schema_stats_expiry = 0"))  # MySQL would return a cached value
    given = connection.scalar(text(_LAST[connection.dialect.name]), {"table": table.name})
    return max(given or 0, connection.scalar(select(func.max(table.c.id))) or 0)


def advance_sequence(connection: Connection, table: Table, last: int) -> None:
    """Advance the sequence of a table, so that new ids are greater than ``last`` and all ids assigned before.

    On MariaDB this is DDL, which commits the transaction. On PostgreSQL a rollback does not undo it.
    """
    last = max(last, last_id(connection, table))
    values = {"table": table.name, "last": last}
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), values)
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)"), values)
    elif connection.dialect.name == "mysql":
        connection.execute(text(f"ALTER TABLE {table.name} AUTO_INCREMENT = {last + 1}"))
    elif last:
        sequence = "CAST(pg_get_serial_sequence(:table, 'id') AS regclass)"
        connection.execute(text(f"SELECT setval({sequence}, :last)"), values)
