"""Deadlines for PyMySQL, whose timeouts are otherwise the same for every wait."""

from functools import cache
from ssl import SSLContext
from typing import Any

from pymysql.connections import Connection, MySQLResult
from pymysql.cursors import SSCursor

from service_layer.deadline import seconds_left

_MIN_TIMEOUT = 0.001
"""Seconds; 0 would make the socket non-blocking."""


@cache
def _tls_context(**options: Any) -> SSLContext:
    context: SSLContext = Connection._create_ssl_ctx(None, options)  # type: ignore[attr-defined]  # it is not in the types
    return context


class DeadlineConnection(Connection):
    """A connection that waits no longer than its thread's deadline, then closes: a late response is of no use."""

    connect_timeout: float
    ctx: SSLContext
    _read_timeout: float
    _write_timeout: float
    _result: MySQLResult | None

    def unbuffered_cursor(self) -> SSCursor:
        return self.cursor(SSCursor)

    def connect(self, sock: Any = None) -> None:
        self._set_timeouts()
        self.connect_timeout = min(self.connect_timeout, self._read_timeout)
        super().connect(sock)

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        self._set_timeouts()
        super()._execute_command(command, sql)  # type: ignore[misc]  # all statements pass here

    def _force_close(self) -> None:
        """Close without reading the rest of an unbuffered result, which PyMySQL would do when it is freed."""
        if self._result is not None:
            self._result.unbuffered_active = False
        super()._force_close()  # type: ignore[misc]  # it is not in the types

    def _set_timeouts(self) -> None:
        self._read_timeout = self._write_timeout = max(seconds_left(), _MIN_TIMEOUT)

    def _create_ssl_ctx(self, options: dict[str, Any]) -> SSLContext:
        """Return a cached context: loading the system's certificates takes 20 ms with the GIL held."""
        return _tls_context(**options)
