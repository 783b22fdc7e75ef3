"""Statements that were compiled once, on the driver's own cursor.

The statements, the pool, the dialects and the names of errors are SQLAlchemy's. Its execution of a
statement is left out: it took as long as the driver and the database together.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Engine, Insert, PoolProxiedConnection, SelectBase
from sqlalchemy.exc import DBAPIError, StatementError

_CHUNK = 200
"""Rows that are fetched at once where they are not buffered: more than a user has in a list, of up to 40 KB each."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement in the words of one database, those of its parameters that are always the same, and how its
    driver is to run it."""

    text: str
    constants: dict[str, Any]
    options: dict[str, Any]


def query(statement: SelectBase | Insert, dialect: Dialect, *, custom_plan: bool = False) -> Query:
    """The statement, compiled. Values go in and come out as the driver has them, whatever types the columns say.

    :param custom_plan: plan it anew for the values that it is given each time. PostgreSQL alone plans ahead:
        after ten times it may keep a plan that knows neither the values nor how few rows are wanted.
    """
    compiled = statement.compile(dialect=dialect)
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    options = {"prepare": False} if custom_plan and dialect.name == "postgresql" else {}
    return Query(str(compiled), constants, options)


def execute(
    query: Query, connection: PoolProxiedConnection, parameters: dict[str, Any], *, unbuffered: bool = False
) -> Any:
    """The cursor, once it has run the query.

    :param connection: whose driver takes parameters by name.
    :param unbuffered: whether rows stay with the database until they are fetched. Until all of them are, the
        connection is good for nothing else.
    """
    cursor = _unbuffered_cursor(connection.dbapi_connection) if unbuffered else connection.cursor()
    cursor.execute(query.text, {**query.constants, **parameters}, **query.options)
    return cursor


def _unbuffered_cursor(connection: Any) -> Any:
    """SQLite has no other kind; the other drivers receive a whole result at once unless asked not to."""
    cursor = connection.unbuffered_cursor() if hasattr(connection, "unbuffered_cursor") else connection.cursor()
    cursor.arraysize = _CHUNK
    return cursor


def translate_error(error: Exception, engine: Engine, connection: PoolProxiedConnection | None) -> StatementError:
    """An error of the driver as SQLAlchemy wraps it; the connections that it is the end of are out of the pool then."""
    dialect = engine.dialect
    lost = connection is not None and dialect.is_disconnect(
        error,  # type: ignore[arg-type]  # it is an error of the driver, which mypy does not know
        connection.dbapi_connection,
        None,
    )
    if connection is not None and lost:
        engine.pool._invalidate(connection, error)
    kind = dialect.loaded_dbapi.Error
    return DBAPIError.instance(
        None, None, error, kind, hide_parameters=True, connection_invalidated=lost, dialect=dialect
    )
