"""What the log says of an error, and what it keeps to itself."""

import asyncio
import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest

from entrypoints.logging import JsonFormatter, TextFormatter, configure, request_id

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
SECRET = "hunter2"


@pytest.fixture
def ours() -> Iterator[None]:
    """While a request with this id is answered."""
    token = request_id.set("ours")
    yield
    request_id.reset(token)


def fail(secret: str) -> None:
    try:
        raise KeyError(secret)
    except KeyError as error:
        error.add_note(secret)
        raise ValueError(secret) from error


def fail_again(secret: str) -> None:
    try:
        fail(secret)
    except ValueError:
        raise RuntimeError(secret)  # noqa: B904  # that is what is tested


def fail_alone(secret: str) -> None:
    try:
        fail(secret)
    except ValueError:
        raise RuntimeError(secret) from None


def fail_by_itself(secret: str) -> None:
    error = RuntimeError(secret)
    raise error from error


def record_of(work: object) -> logging.LogRecord:
    """A record of what this raises."""
    assert callable(work)
    try:
        work(SECRET)
    except RuntimeError:
        return logging.LogRecord("belongings", logging.ERROR, __file__, 0, "unexpected %s", ("error",), sys.exc_info())
    raise AssertionError


def test_an_error_shows_where_it_came_by_and_not_what_it_says() -> None:
    text = TextFormatter().format(record_of(fail_again))
    assert re.match(TIME + r" ERROR unexpected error\n  File ", text)
    assert re.findall(r"^builtins\.(\w+)", text, re.MULTILINE) == ["KeyError", "ValueError", "RuntimeError"]
    assert len(re.findall(r"test_logs\.py\", line \d+, in fail\n", text)) == 2
    assert SECRET not in text


def test_an_error_that_hides_another_is_told_alone() -> None:
    assert re.findall(r"^builtins\.(\w+)", TextFormatter().format(record_of(fail_alone)), re.MULTILINE) == [
        "RuntimeError"
    ]


@pytest.mark.usefixtures("ours")
def test_in_json_an_error_is_on_one_line_and_has_the_id_of_its_request() -> None:
    (line,) = JsonFormatter().format(record_of(fail_again)).splitlines()
    told = json.loads(line)
    assert re.fullmatch(TIME, told["time"])
    assert told["traceback"].endswith("\nbuiltins.RuntimeError")
    kept = {name: told[name] for name in ("level", "logger", "message", "request_id")}
    assert kept == {"level": "ERROR", "logger": "belongings", "message": "unexpected error", "request_id": "ours"}
    assert SECRET not in line


@pytest.mark.usefixtures("ours")
def test_whatever_is_logged_during_a_request_has_its_id() -> None:
    record = logging.LogRecord("belongings", logging.WARNING, __file__, 0, "no %s\n", ("towel",), None)
    assert re.fullmatch(TIME + " WARNING no towel request_id=ours", TextFormatter().format(record))


def test_outside_of_requests_there_is_no_id() -> None:
    record = logging.LogRecord("belongings", logging.WARNING, __file__, 0, "no towel", (), None)
    assert re.fullmatch(TIME + " WARNING no towel", TextFormatter().format(record))
    assert "request_id" not in json.loads(JsonFormatter().format(record))


def test_an_exception_is_logged_once_and_a_cancellation_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("entrypoints.logging._write_in_background", lambda _: None)
    monkeypatch.setattr(sys, "stderr", written)
    loggers = [logging.getLogger(name) for name in (None, "uvicorn", "uvicorn.access", "belongings")]
    for each in loggers:
        for name in ("handlers", "propagate", "level"):
            monkeypatch.setattr(each, name, [] if name == "handlers" else getattr(each, name))
    configure("text")
    for error in (KeyError("a"), KeyError("b")):
        logging.getLogger("belongings").error("unexpected error", exc_info=error)
        logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=error)
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=asyncio.CancelledError())
    logging.getLogger("uvicorn.error").error("no exception")
    assert [line.split(maxsplit=2)[-1] for line in written.getvalue().splitlines()] == [
        "unexpected error",
        "builtins.KeyError",
        "unexpected error",
        "builtins.KeyError",
        "no exception",
    ]
