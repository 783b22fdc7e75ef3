"""Running queries in autocommit, with a retry if the connection was lost."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Engine, PoolProxiedConnection, SelectBase
from sqlalchemy.exc import DBAPIError

from adapters.sql.engine.driver import Query, execute, query, translate_error
from adapters.sql.engine.errors import is_interrupted, translate_errors
from service_layer.deadline import seconds_left

Row = tuple[Any, ...]


Read = TypeVar("Read")


def retry_if_disconnected(read: Callable[[], Read]) -> Read:
    """Call ``read``; retry once if the server has closed the connection, or if SQLite has interrupted the query to
    truncate its log."""
    try:
        return read()
    except DBAPIError as error:
        retry = error.connection_invalidated or is_interrupted(error)
        if not retry or not seconds_left():
            raise
    return read()


class Reader:
    """Runs queries on an engine, each in autocommit.

    :param engine: in autocommit mode, with a driver that supports named parameters.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._error = engine.dialect.loaded_dbapi.Error

    def query(self, statement: SelectBase, *, custom_plan: bool = False) -> Query:
        """Compile a statement for this database, as ``driver.query`` does."""
        return query(statement, self._engine.dialect, custom_plan=custom_plan)

    def rows(self, query: Query, **parameters: Any) -> list[Row]:
        """Run a query and return all rows."""
        return self._read(lambda connection: list(execute(query, connection, parameters).fetchall()))

    def some_rows(self, query: Query, take: Callable[[Iterator[Sequence[Row]]], Read], **parameters: Any) -> Read:
        """Run a query and return the result of ``take``, called with chunks of rows; unused chunks stay unread."""
        return self._read(lambda connection: _some_rows(connection, query, take, parameters))

    def _read(self, read: Callable[[PoolProxiedConnection], Read]) -> Read:
        with translate_errors():
            return retry_if_disconnected(lambda: self._read_once(read))

    def _read_once(self, read: Callable[[PoolProxiedConnection], Read]) -> Read:
        connection = None
        try:
            connection = self._engine.raw_connection()
            return read(connection)
        except self._error as error:
            raise translate_error(error, self._engine, connection) from error
        finally:
            if connection is not None:
                connection.close()


def _some_rows(
    connection: PoolProxiedConnection,
    query: Query,
    take: Callable[[Iterator[Sequence[Row]]], Read],
    parameters: dict[str, Any],
) -> Read:
    chunks = _chunks(execute(query, connection, parameters, unbuffered=True))
    result = take(chunks)
    if next(chunks, None):
        connection.invalidate()  # the only way to stop the server from sending
    return result


def _chunks(cursor: Any) -> Iterator[Sequence[Row]]:
    while rows := cursor.fetchmany():
        yield rows
