"""Reads, each statement by itself."""

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
        return self._read(lambda connection: list(execute(query, connection, parameters).fetchall()))

    def some_rows(self, query: Query, take: Callable[[Iterator[Sequence[Row]]], Read], **parameters: Any) -> Read:
        """What ``take`` makes of chunks of rows. If it does not go through all of them the rest is never received."""
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
    taken = take(chunks)
    if next(chunks, None):
        connection.invalidate()  # there is no other way to stop a server
    return taken


def _chunks(cursor: Any) -> Iterator[Sequence[Row]]:
    while rows := cursor.fetchmany():
        yield rows
