"""The log as an operator sees it: what a running service writes to standard error."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.sql.engine.engines import parse_url
from adapters.sql.operations.migrations import migrate
from tests.conftest import Databases
from tests.faults.conftest import Figure
from tests.faults.service import Service

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO (\S+ \S+ .*) \d+\.\dms 127\.0\.0\.1 request_id=(\S+)")
SECRET = "correct horse battery staple"
HOSTILE = [
    json.dumps({"email": "rick@example.com", "password": SECRET}),
    json.dumps({"email": "rick@example.com", "password": SECRET * 5}),
    json.dumps({"email": "rick@example.com", "password": SECRET + "\ud800"}),
    json.dumps({"email": SECRET, "password": SECRET, SECRET: SECRET}),
    json.dumps({"password": SECRET}),
    json.dumps([SECRET]),
    json.dumps({"email": "rick@example.com", "password": SECRET})[:-2],
    f'{{"email": "rick@example.com", "password": {SECRET}}}',
    SECRET,
]


class Broken:
    """What the application is made to run on below: it fails, and says more than it should."""

    PAGE = """
from entrypoints.api.app import create_app

class Hasher:
    def hash(self, password):
        try:
            raise KeyError(f"{password} argon2id")
        except KeyError as error:
            raise RuntimeError(f"cannot hash {password}") from error

def broken():
    app = create_app()
    app.state.container.hasher.override(Hasher())
    return app
"""


def ask(url: str, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
    """The status of the answer, and its id."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    with closing(connection):
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, path, body, sent)
        answer: HTTPResponse = connection.getresponse()
        answer.read()
        return answer.status, str(answer.headers["X-Request-ID"])


def wait_for(log: Path, text: str) -> str:
    """What the log says once this is in it: a line follows its answer."""
    deadline = monotonic() + 60
    while text not in log.read_text():
        assert monotonic() < deadline, log.read_text()
        sleep(0.01)
    return log.read_text()


def test_each_request_is_one_line_for_people(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        ids = [ask(service.url, "POST", "/items/", '{"title": "Towel"}')[1]]
        ids.append(ask(service.url, "GET", "/items/1?secret=1")[1])
        ids.append(ask(service.url, "GET", "/nothing/secret", X_Request_ID="ours")[1])
        log = wait_for(service.log, "request_id=ours")
    expected = ["POST /items/ 200", "GET /items/{item_id} 200", "GET - 404"]
    assert LINE.findall(log) == list(zip(expected, ids, strict=True))
    assert len(log.splitlines()) == 3


def test_in_json_every_line_is_an_object_whoever_writes_it(tmp_path: Path) -> None:
    away = "postgresql://rick:s3cret@127.0.0.1:1/none"
    with Service(tmp_path, DATABASE_URL=away, BELONGINGS_LOG_FORMAT="json") as service:
        with socket.create_connection(("127.0.0.1", urlsplit(service.url).port or 0)) as wild:
            wild.sendall(b"s3cret\r\n\r\n")
            refused = wild.recv(1000).decode()
        ask(service.url, "GET", "/users/1", X_Request_ID="ours")
        wait_for(service.log, "belongings.requests")
        service.stop()
        first, *lines = service.log.read_text().splitlines()
    assert "until then /health/ready is 503" in first  # it is the command that says so
    told = [json.loads(line) for line in lines]
    by = ["belongings", "uvicorn.error", "belongings.requests", "belongings", "belongings.requests"]
    assert [each["logger"] for each in told] == by
    assert [each.get("status") for each in told] == [None, None, 400, None, 503]
    assert [each.get("request_id") for each in told[3:]] == ["ours", "ours"]
    assert f"x-request-id: {told[2]['request_id']}\r\n" in refused
    assert "s3cret" not in "".join(lines)


def test_who_left_before_the_answer_is_told_apart(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        ask(service.url, "GET", "/health/ready")
        with closing(sqlite3.connect(tmp_path / "belongings.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with socket.create_connection(("127.0.0.1", urlsplit(service.url).port or 0)) as impatient:
                head = "POST /items/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Request-ID: ours\r\n"
                impatient.sendall(f"{head}Content-Length: 18\r\n\r\n".encode() + b'{"title": "Towel"}')
                assert ask(service.url, "GET", "/health/live")[0] == 200  # it has read what came before
            assert ask(service.url, "GET", "/health/live")[0] == 200  # it has seen that one leave
            other.execute("ROLLBACK")
        log = wait_for(service.log, "request_id=ours")
        assert ask(service.url, "GET", "/items/1")[0] == 200
    assert ("POST /items/ 200 aborted", "ours") in LINE.findall(log)


def test_no_secret_is_ever_logged(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        for body in HOSTILE:
            for method, path in (("POST", "/users/"), ("PATCH", "/users/1"), ("POST", "/items/"), ("PUT", "/users/")):
                ask(service.url, method, path, body, Authorization=SECRET, Idempotency_Key="one", X_Request_ID=SECRET)
        ask(service.url, "GET", f"/users/?email={SECRET.replace(' ', '+')}&{SECRET.replace(' ', '_')}=1")
        ask(service.url, "GET", f"/{SECRET.replace(' ', '/')}")
        with closing(sqlite3.connect(tmp_path / "belongings.db")) as database:
            (hash,) = database.execute("SELECT hashed_password FROM users").fetchone()
            database.execute(f"CREATE TRIGGER t BEFORE INSERT ON items BEGIN SELECT RAISE(ABORT, '{SECRET}'); END")
        assert ask(service.url, "POST", "/items/", '{"title": "Towel"}', X_Request_ID="last")[0] == 500
        log = wait_for(service.log, "request_id=last")
    assert "IntegrityError" in log
    assert not [word for word in (SECRET, *SECRET.split(), "+".join(SECRET.split()), hash, "argon2") if word in log]


def read_often(url: str, times: int) -> int:
    """How many answers are 404, of this many requests on one connection."""
    sent, found = b"GET /items/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 10, 0
    address = "127.0.0.1", urlsplit(url).port or 0
    with socket.create_connection(address, timeout=30) as connection, connection.makefile("rb") as answers:
        for _ in range(times // 10):
            connection.sendall(sent)
            for _ in range(10):
                found += b" 404 " in answers.readline()
                head = iter(answers.readline, b"\r\n")
                (length,) = [int(each.partition(b":")[2]) for each in head if each.startswith(b"content-length:")]
                answers.read(length)
    return found


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_log_that_nobody_reads_holds_up_nothing(
    tmp_path: Path, databases: Databases, figure: Figure, workers: int
) -> None:
    os.mkfifo(tmp_path / "log")
    nobody = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    settings = {}
    if workers > 1:
        settings["DATABASE_URL"] = databases.empty("postgresql")
        migrate(parse_url(settings["DATABASE_URL"]))
    with closing(os.fdopen(nobody, "rb")), Service(tmp_path, "--workers", str(workers), **settings) as service:
        assert read_often(service.url, 5000) == 5000
        assert ask(service.url, "GET", "/health/live")[0] == 200
        assert b"GET /items/{item_id} 404" in os.read(nobody, 1000)  # it had begun to write
        began = monotonic()
        assert service.stop() == 0
        took = monotonic() - began
    assert took < 10
    figure(f"5,000 answers, SIGTERM in {took:.2f} s")


@contextmanager
def uvicorn(folder: Path, **settings: str) -> Iterator[tuple[str, Path]]:
    """A broken application, run by uvicorn itself: where it listens, and its log."""
    (folder / "broken.py").write_text(Broken.PAGE)
    command = [sys.executable, "-m", "uvicorn", "--factory", "broken:broken", "--port", "0", "--app-dir", str(folder)]
    top = str(Path(__file__).parents[2])
    bare = {name: value for name, value in os.environ.items() if "BELONGINGS" not in name}
    environment = bare | {"DATABASE_URL": "memory://", "PYTHONPATH": top} | settings
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stderr=log, stdout=log)
    try:
        told = wait_for(folder / "log", "running on http")
        yield re.findall(r"running on (http://\S+)", told)[0], folder / "log"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_what_nobody_foresaw_is_logged_once_whoever_runs_the_application(tmp_path: Path) -> None:
    with uvicorn(tmp_path) as (url, log):
        status, id = ask(url, "POST", "/users/", json.dumps({"email": "rick@example.com", "password": SECRET}))
        told = wait_for(log, "POST /users/ 500")
    assert status == 500
    assert told.count("builtins.RuntimeError") == told.count("builtins.KeyError") == 1
    assert f"ERROR unexpected error request_id={id}\n" in told
    assert told.count(id) == 2
    assert SECRET not in told


def test_in_json_a_traceback_is_on_one_line(tmp_path: Path) -> None:
    with uvicorn(tmp_path, BELONGINGS_LOG_FORMAT="json") as (url, log):
        _, id = ask(url, "POST", "/users/", json.dumps({"email": "rick@example.com", "password": SECRET}))
        told = wait_for(log, "belongings.requests")
    lines: list[dict[str, Any]] = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    error, request = (line for line in lines if line.get("request_id") == id)
    assert "builtins.RuntimeError" in error["traceback"]
    assert (request["status"], request["route"]) == (500, "/users/")
    assert SECRET not in told
