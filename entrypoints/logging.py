"""The log, as text lines for people or as JSON lines for programs."""

import logging
import sys
import traceback
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar
from functools import lru_cache
from time import gmtime, strftime, time
from typing import Literal, NamedTuple

from pydantic_core import to_json

from entrypoints.background_writer import write_stderr_in_background

Format = Literal["text", "json"]

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the current request; every line that is logged during the request has it."""

logger = logging.getLogger("belongings")


class Access(NamedTuple):
    """The outcome of one request.

    :param route: the path template of its route.
    :param status: the status of the response; None if there was none.
    :param aborted: whether the client disconnected before the end of the response.
    :param seconds: the time from the head of the request to the end of the response.
    :param client: the address of the client.
    """

    id: str
    method: str
    route: str
    status: int | None
    aborted: bool
    seconds: float
    client: str


_LOGGED = "logged_by_belongings"
"""The attribute of an exception that has been logged."""

AccessLog = Callable[[Access], None]


def log_text(access: Access) -> None:
    """Log a request as text."""
    id, method, route, status, aborted, seconds, client = access
    ended = f"{status or '-'} aborted" if aborted else status
    address = client if client.isprintable() else ascii(client)
    _write(f"{_time(time())} INFO {method} {route} {ended} {seconds * 1e3:.1f}ms {address} request_id={id}")


def log_json(access: Access) -> None:
    """Log a request as JSON."""
    id, method, route, status, aborted, seconds, client = access
    content = {
        "time": _time(time()),
        "level": "INFO",
        "logger": "belongings.requests",
        "message": f"{method} {route}",
        "method": method,
        "route": route,
        "status": status,
        "aborted": aborted,
        "duration_ms": round(seconds * 1e3, 3),
        "client": client,
        "request_id": id,
    }
    _write(to_json(content).decode())


def _write(line: str) -> None:
    """Write a line without ``logging``, which would take four times as long: a tenth of the time of a read."""
    with suppress(OSError):  # a full disk must not fail the request
        sys.stderr.write(line + "\n")


class TextFormatter(logging.Formatter):
    """Formats log records as text."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record.created)} {record.levelname} {record.getMessage().strip()}"
        if id := request_id.get():
            line += f" request_id={id}"
        return f"{line}\n{_traceback(record)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """Formats log records as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        content = {"time": _time(record.created), "level": record.levelname, "logger": record.name}
        content["message"] = record.getMessage().strip()
        if id := request_id.get():
            content["request_id"] = id
        if record.exc_info:
            content["traceback"] = _traceback(record)
        return to_json(content).decode()


def configure(format: Format) -> None:
    """Log to standard error, in the background, unless logging has been configured already.

    This includes uvicorn's log, but not its access log, which would contain query strings.
    """
    formatter = JsonFormatter() if format == "json" else TextFormatter()
    _write_in_background(formatter)
    if logger.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(_is_new_error)
    for name, handlers in ((None, [handler]), ("uvicorn", [handler]), ("uvicorn.access", [])):
        each = logging.getLogger(name)
        each.handlers = list[logging.Handler](handlers)
        each.propagate = False
    logger.setLevel(logging.INFO)


def _is_new_error(record: logging.LogRecord) -> bool:
    """Whether a record with an exception is the first with it. A request that a shutdown cuts off is no error.

    Uvicorn logs the exceptions of the application a second time, and a ``CancelledError`` as one of them.
    """
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return True
    if isinstance(error, CancelledError):
        return False
    is_first = not hasattr(error, _LOGGED)
    with suppress(AttributeError):  # its class may have slots
        setattr(error, _LOGGED, True)
    return is_first


def _write_in_background(formatter: logging.Formatter) -> None:
    def describe(count: int) -> str:
        text = "%d log lines were dropped because they were not read in time"
        record = logging.LogRecord(logger.name, logging.WARNING, __file__, 0, text, (count,), None)
        return Context().run(formatter.format, record)  # without the id of a request

    write_stderr_in_background(describe)


def _time(now: float) -> str:
    return f"{_second(int(now))}.{int(now * 1000) % 1000:03d}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))


def _traceback(record: logging.LogRecord) -> str:
    """The stack and type of an exception and of its causes.

    Their messages are left out, since they may contain passwords or rows.
    """
    seen: dict[int, str] = {}
    error = record.exc_info[1] if record.exc_info else None
    while error is not None and id(error) not in seen:  # an exception may be its own cause
        stack, kind = traceback.format_tb(error.__traceback__), type(error)
        seen[id(error)] = f"{''.join(stack)}{kind.__module__}.{kind.__qualname__}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(reversed(seen.values()))
