"""Executing precompiled statements on the driver's own cursor.

Statements, pools, dialects and exceptions are SQLAlchemy's. Only its execution of a statement is bypassed: it took as
long as the driver and the database together.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Engine, Insert, PoolProxiedConnection, SelectBase
from sqlalchemy.exc import DBAPIError, StatementError

_CHUNK = 200
"""Rows that are fetched at once where they are not buffered: more than a user has in a list, of up to 40 KB each."""


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled statement: its SQL, the parameters with constant values, and options for the driver."""

    text: str
    constants: dict[str, Any]
    options: dict[str, Any]


def query(statement: SelectBase | Insert, dialect: Dialect, *, custom_plan: bool = False) -> Query:
    """Compile a statement. Values are passed to the driver and returned as they are; column types are not applied.

    :param custom_plan: have PostgreSQL plan each execution for its values. After a few executions it may otherwise
        switch to a generic plan, which ignores the values and the limit.
    """
    compiled = statement.compile(dialect=dialect)
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    options = {"prepare": False} if custom_plan and dialect.name == "postgresql" else {}
    return Query(str(compiled), constants, options)


def execute(
    query: Query, connection: PoolProxiedConnection, parameters: dict[str, Any], *, unbuffered: bool = False
) -> Any:
    """Run a query and return the cursor.

    :param connection: its driver must support named parameters.
    :param unbuffered: leave the rows on the server until they are fetched. The connection cannot be used for
        anything else until all are fetched.
    """
    cursor = _unbuffered_cursor(connection.dbapi_connection) if unbuffered else connection.cursor()
    cursor.execute(query.text, {**query.constants, **parameters}, **query.options)
    return cursor


def _unbuffered_cursor(connection: Any) -> Any:
    """Return a cursor that fetches rows in chunks. SQLite's always does; other drivers buffer the whole result."""
    cursor = connection.unbuffered_cursor() if hasattr(connection, "unbuffered_cursor") else connection.cursor()
    cursor.arraysize = _CHUNK
    return cursor


def translate_error(error: Exception, engine: Engine, connection: PoolProxiedConnection | None) -> StatementError:
    """Wrap an error of the driver as SQLAlchemy does, and invalidate connections that it has broken."""
    dialect = engine.dialect
    lost = connection is not None and dialect.is_disconnect(
        error,  # type: ignore[arg-type]  # a driver error, which has no type here
        connection.dbapi_connection,
        None,
    )
    if connection is not None and lost:
        engine.pool._invalidate(connection, error)
    kind = dialect.loaded_dbapi.Error
    return DBAPIError.instance(
        None, None, error, kind, hide_parameters=True, connection_invalidated=lost, dialect=dialect
    )
