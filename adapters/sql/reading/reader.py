"""Reads, each statement by itself."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, SelectBase
from sqlalchemy.exc import DBAPIError

from adapters.sql.engine.driver import Query, execute, query, translate_error
from adapters.sql.engine.errors import is_interrupted, translate_errors
from service_layer.deadline import seconds_left

Row = tuple[Any, ...]


Read = TypeVar("Read")


def retry_if_disconnected(read: Callable[[], Read]) -> Read:
    """What this reads; it is asked once more if the server has closed the connection in the meantime, or if
    SQLite has interrupted it to begin its log anew."""
    try:
        return read()
    except DBAPIError as error:
        again = error.connection_invalidated or is_interrupted(error)
        if not again or not seconds_left():
            raise
    return read()


class Reader:
    """Runs each statement by itself.

    :param engine: its connections are in autocommit, and its driver takes parameters by name.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._error = engine.dialect.loaded_dbapi.Error

    def query(self, statement: SelectBase, *, custom_plan: bool = False) -> Query:
        """The statement, compiled for this database as ``driver.query`` does."""
        return query(statement, self._engine.dialect, custom_plan=custom_plan)

    def rows(self, query: Query, **parameters: Any) -> list[Row]:
        """All rows. The query is run once more if the server has closed the connection in the meantime."""
        with translate_errors():
            return retry_if_disconnected(lambda: self._rows(query, parameters))

    def _rows(self, query: Query, parameters: dict[str, Any]) -> list[Row]:
        connection = None
        try:
            connection = self._engine.raw_connection()
            return list(execute(query, connection, parameters).fetchall())
        except self._error as error:
            raise translate_error(error, self._engine, connection) from error
        finally:
            if connection is not None:
                connection.close()
