"""PostgreSQL's driver, which would wait for a silent server for ever."""

from typing import Any, TypeVar

from psycopg import Connection, OperationalError, errors
from psycopg.abc import PQGen, PQGenConn
from psycopg.generators import execute
from psycopg.pq import ExecStatus

from service_layer.deadline import seconds_left

Result = TypeVar("Result")


class DeadlineConnection(Connection[Any]):
    """Waits no longer than its thread may. Then it is closed: what it still would hear answers nobody's question."""

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn["DeadlineConnection"]:  # asked again ten times a second
        connecting = super()._connect_gen(conninfo)
        try:
            waits_for = next(connecting)
            while seconds_left():
                waits_for = connecting.send((yield waits_for))
        except StopIteration as done:
            connection: DeadlineConnection = done.value
            return connection
        raise OperationalError("no connection could be made in time")

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        try:
            return super().wait(gen, interval, seconds_left())
        except errors._WaitTimeout:
            self.close()
            raise OperationalError("the server did not answer in time") from None

    def begin(self) -> None:
        """Begin a transaction as psycopg would; it sends no BEGIN of its own where there is one already."""
        self.pgconn.send_query(self._get_tx_start_command())
        for result in self.wait(execute(self.pgconn)):
            if result.status != ExecStatus.COMMAND_OK:
                raise OperationalError("the server refuses to begin a transaction", pgconn=self.pgconn)
