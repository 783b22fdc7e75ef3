"""Reads on the driver's own cursor, with statements that were compiled once.

The statements, the pool, the dialects and the names of errors are SQLAlchemy's. Its execution of a
statement is left out: it took as long as the driver and the database together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Engine, PoolProxiedConnection, SelectBase
from sqlalchemy.exc import DBAPIError

from adapters.sql.errors import in_domain_terms
from service_layer.deadline import seconds_left

Row = tuple[Any, ...]


Read = TypeVar("Read")


def again_if_disconnected(read: Callable[[], Read]) -> Read:
    """What this reads; it is asked once more if the server has closed the connection in the meantime."""
    try:
        return read()
    except DBAPIError as error:
        if not error.connection_invalidated or not seconds_left():
            raise
    return read()


@dataclass(frozen=True, slots=True)
class Query:
    """A statement in the words of one database, those of its parameters that are always the same, and how its
    driver is to run it."""

    text: str
    constants: dict[str, Any]
    options: dict[str, Any]


class Reader:
    """Runs each statement by itself.

    :param engine: its connections are in autocommit, and its driver takes parameters by name.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._error = engine.dialect.loaded_dbapi.Error

    def query(self, statement: SelectBase, *, plan_each: bool = False) -> Query:
        """The statement, compiled. Its rows will be as the driver has them, whatever types the columns say.

        :param plan_each: plan it anew for the values that it is given each time. PostgreSQL alone plans ahead:
            after ten times it may keep a plan that knows neither the values nor how few rows are wanted.
        """
        compiled = statement.compile(dialect=self._engine.dialect)
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        options = {"prepare": False} if plan_each and self._engine.dialect.name == "postgresql" else {}
        return Query(str(compiled), constants, options)

    def rows(self, query: Query, **parameters: Any) -> list[Row]:
        """All rows. The query is run once more if the server has closed the connection in the meantime."""
        with in_domain_terms():
            return again_if_disconnected(lambda: self._rows(query, parameters))

    def _rows(self, query: Query, parameters: dict[str, Any]) -> list[Row]:
        connection = None
        try:
            connection = self._engine.raw_connection()
            cursor = connection.cursor()
            cursor.execute(query.text, {**query.constants, **parameters}, **query.options)
            return list(cursor.fetchall())
        except self._error as error:
            raise self._wrapped(error, connection) from error
        finally:
            if connection is not None:
                connection.close()

    def _wrapped(self, error: Exception, connection: PoolProxiedConnection | None) -> Exception:
        """As SQLAlchemy wraps it, once the connections that this means the end of are out of the pool."""
        dialect = self._engine.dialect
        lost = connection is not None and dialect.is_disconnect(
            error,  # type: ignore[arg-type]  # it is an error of the driver, which mypy does not know
            connection.dbapi_connection,
            None,
        )
        if connection is not None and lost:
            self._engine.pool._invalidate(connection, error)
        return DBAPIError.instance(
            None, None, error, self._error, hide_parameters=True, connection_invalidated=lost, dialect=dialect
        )
