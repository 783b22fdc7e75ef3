"""The log: lines for people, or for programs a JSON object a line."""

import logging
import sys
import traceback
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
"""Of the request that is being answered; every line that is logged meanwhile carries it."""

logger = logging.getLogger("belongings")


class Access(NamedTuple):
    """How one request ended.

    :param route: the template of its path.
    :param status: of the answer; None where there was none.
    :param aborted: whether the client had gone by then.
    :param seconds: from the head of the request to the end of its answer.
    :param client: its address.
    """

    id: str
    method: str
    route: str
    status: int | None
    aborted: bool
    seconds: float
    client: str


AccessLog = Callable[[Access], None]


def log_text(access: Access) -> None:
    """A line for people."""
    id, method, route, status, aborted, seconds, client = access
    ended = f"{status or '-'} aborted" if aborted else status
    address = client if client.isprintable() else ascii(client)
    _write(f"{_time(time())} INFO {method} {route} {ended} {seconds * 1e3:.1f}ms {address} request_id={id}")


def log_json(access: Access) -> None:
    """A line for programs."""
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
    """Like a handler of ``logging``, in a quarter of its time, which was a tenth of all that a read takes."""
    with suppress(OSError):  # a full disk is no reason to fail
        sys.stderr.write(line + "\n")


class TextFormatter(logging.Formatter):
    """For a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record.created)} {record.levelname} {record.getMessage().strip()}"
        if id := request_id.get():
            line += f" request_id={id}"
        return f"{line}\n{_told(record)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """For programs."""

    def format(self, record: logging.LogRecord) -> str:
        content = {"time": _time(record.created), "level": record.levelname, "logger": record.name}
        content["message"] = record.getMessage().strip()
        if id := request_id.get():
            content["request_id"] = id
        if record.exc_info:
            content["traceback"] = _told(record)
        return to_json(content).decode()


def configure(format: Format) -> None:
    """Log to standard error, unless this process was told before where to log; and write that in the background.

    What uvicorn has to say goes the same way, but for its access log, which would show queries.
    """
    formatter = JsonFormatter() if format == "json" else TextFormatter()
    _write_in_background(formatter)
    if logger.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    for name, handlers in ((None, [handler]), ("uvicorn", [handler]), ("uvicorn.access", [])):
        each = logging.getLogger(name)
        each.handlers = list[logging.Handler](handlers)
        each.propagate = False
    logger.setLevel(logging.INFO)


def _write_in_background(formatter: logging.Formatter) -> None:
    def describe(count: int) -> str:
        text = "%d lines of the log were dropped, as they were not read in time"
        record = logging.LogRecord(logger.name, logging.WARNING, __file__, 0, text, (count,), None)
        return Context().run(formatter.format, record)  # of no request

    write_stderr_in_background(describe)


def _time(now: float) -> str:
    return f"{_second(int(now))}.{int(now * 1000) % 1000:03d}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))


def _told(record: logging.LogRecord) -> str:
    """Where an exception and those that led to it came by, and their types.

    Not what they say: that may repeat a password, or a row.
    """
    told: dict[int, str] = {}
    error = record.exc_info[1] if record.exc_info else None
    while error is not None and id(error) not in told:  # one may be its own cause
        passed, kind = traceback.format_tb(error.__traceback__), type(error)
        told[id(error)] = f"{''.join(passed)}{kind.__module__}.{kind.__qualname__}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(reversed(told.values()))
