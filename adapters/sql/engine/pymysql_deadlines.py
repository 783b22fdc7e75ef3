"""MariaDB's driver, whose time-outs would be the same for each wait, however little time is left."""

from functools import cache
from ssl import SSLContext
from typing import Any

from pymysql.connections import Connection, MySQLResult
from pymysql.cursors import SSCursor

from service_layer.deadline import seconds_left

_MIN_TIMEOUT = 0.001
"""Seconds; 0 would mean not to wait at all, which a socket does in its own way."""


@cache
def _tls_context(**options: Any) -> SSLContext:
    context: SSLContext = Connection._create_ssl_ctx(None, options)  # type: ignore[attr-defined]  # it is not in the types
    return context


class DeadlineConnection(Connection):
    """Waits no longer than its thread may. Then it is closed: what it still would hear answers nobody's question."""

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
        super()._execute_command(command, sql)  # type: ignore[misc]  # every statement passes here

    def _force_close(self) -> None:
        """Close without reading the rest of an unbuffered result, which PyMySQL would do when it is freed."""
        if self._result is not None:
            self._result.unbuffered_active = False
        super()._force_close()  # type: ignore[misc]  # it is not in the types

    def _set_timeouts(self) -> None:
        self._read_timeout = self._write_timeout = max(seconds_left(), _MIN_TIMEOUT)

    def _create_ssl_ctx(self, options: dict[str, Any]) -> SSLContext:
        """Made once: to read whom the system trusts takes 20 ms of processor time, in which no other thread runs."""
        return _tls_context(**options)
