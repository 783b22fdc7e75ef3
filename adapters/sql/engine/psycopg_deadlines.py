"""Deadlines for psycopg, which by itself waits for a silent server without limit."""

from contextlib import suppress
from typing import Any, Self, TypeVar

from psycopg import Connection, Cursor, Error, OperationalError, capabilities, errors
from psycopg._preparing import Prepare
from psycopg._queries import PostgresQuery
from psycopg.abc import PQGen, PQGenConn
from psycopg.adapt import Transformer
from psycopg.generators import execute
from psycopg.pq import ExecStatus

from service_layer.deadline import seconds_left

Result = TypeVar("Result")


class DeadlineConnection(Connection[Any]):
    """A connection that waits no longer than its thread's deadline, then closes: a late response is of no use."""

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn["DeadlineConnection"]:  # resumed ten times a second
        connecting = super()._connect_gen(conninfo)
        try:
            state = next(connecting)
            while seconds_left():
                state = connecting.send((yield state))
        except StopIteration as done:
            connection: DeadlineConnection = done.value
            return connection
        raise OperationalError("timed out while connecting")

    def unbuffered_cursor(self) -> "UnbufferedCursor":
        return UnbufferedCursor(self)

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        try:
            return super().wait(gen, interval, seconds_left())
        except errors._WaitTimeout:
            self.close()
            raise OperationalError("the server did not respond in time") from None

    def begin(self, isolation_level: str) -> None:
        """Begin a transaction now. psycopg sends no BEGIN of its own while there is one."""
        self.pgconn.send_query(f"BEGIN ISOLATION LEVEL {isolation_level}".encode())
        for result in self.wait(execute(self.pgconn)):
            if result.status != ExecStatus.COMMAND_OK:
                raise OperationalError("the server refused to begin a transaction", pgconn=self.pgconn)


class UnbufferedCursor(Cursor[Any]):
    """Receives the rows of a page in chunks of ``arraysize``.

    Psycopg's own ``stream`` never uses a prepared statement, and goes through all rows one by one, in Python.
    """

    _begun = False

    def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        """Send the query; its rows are received by ``fetchmany``.

        :param params: ``rows`` among them is how many rows there are at most.
        """
        self._tx = Transformer(self)
        if prepare is not False and self._known(self._convert_query(query, params)) is None:
            super().execute(query, {**params, "rows": 0}, prepare=True)
        size = self.arraysize if capabilities.has_stream_chunked() else 1
        self._conn.wait(self._stream_send_gen(query, params, size=size))
        return self

    def fetchmany(self, size: int = 0) -> list[Any]:
        """The next chunk; none is empty but the last one."""
        try:
            chunk = self._conn.wait(self._stream_fetchone_gen(not self._begun))
        except Error:
            with suppress(Error):  # or the connection could not be used again
                self._conn.wait(self._stream_fetchone_gen(first=False))
            raise
        self._begun = True
        return self._tx.load_rows(0, chunk.ntuples, self._make_row) if chunk else []

    def _execute_send(self, query: PostgresQuery, **options: Any) -> None:
        if name := self._known(query):
            self._send_query_prepared(name, query)
        else:
            super()._execute_send(query, **options)

    def _known(self, query: PostgresQuery) -> bytes | None:
        """The name of the statement where this connection has prepared it."""
        prepared, name = self._get_prepared(query)
        return name if prepared is Prepare.YES else None
