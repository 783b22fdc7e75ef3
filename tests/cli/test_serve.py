"""``belongings serve``, as a stranger runs it."""

import json
import os
import re
import resource
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from time import sleep
from urllib.parse import urlsplit
from urllib.request import Request

import pytest

from adapters.sql.engine.process_lock import single_process_reason
from tests.certificates import make_certificate
from tests.conftest import Databases

Serve = Callable[..., tuple[subprocess.Popen[str], str]]
COMMAND = [sys.executable, "-c", "from entrypoints.cli import app; app()"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts the service in an empty folder on a free port; returns the process and where it listens."""
    running = []

    def start(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", *arguments],
            cwd=tmp_path,
            env=_bare() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"https?://\S+", line)
        assert found, (line, process.stderr.read() if process.stderr else "")
        return process, found[0]

    yield start
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # with its workers, which would keep its pipes open
        process.communicate()


def belongings(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=_bare() | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _bare() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "DATABASE_URL" and "BELONGINGS" not in name}


def request(url: str, **body: object) -> tuple[int, dict[str, object]]:
    data = json.dumps(body).encode() if body else None
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Press Ctrl-C; the exit code, what else was printed, and what was logged."""
    process.send_signal(signal.SIGINT)
    printed, logged = process.communicate(timeout=60)
    return process.returncode, printed, logged


def test_it_keeps_its_data_from_one_run_to_the_next_and_ends_cleanly(serve: Serve, tmp_path: Path) -> None:
    process, url = serve()
    assert request(f"{url}/users/", email="a@example.com", password="correct horse")[0] == 200
    assert request(f"{url}/users/1/items/", title="Towel", price=1.5)[0] == 200
    code, _, errors = interrupt(process)
    assert code == 0
    assert "Traceback" not in errors
    assert "correct horse" not in errors
    assert [file.name for file in tmp_path.iterdir()] == ["belongings.db"]  # the log was written back
    _, url = serve()
    assert request(f"{url}/users/1")[1]["items"] == [
        {"title": "Towel", "description": None, "price": 1.5, "id": 1, "owner_id": 1}
    ]


def test_a_second_ctrl_c_waits_for_no_answers_but_ends_as_cleanly(serve: Serve, tmp_path: Path) -> None:
    process, url = serve()
    request(f"{url}/items/", title="Towel")
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
        client.sendall(b"POST /items/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")  # it is being answered
        process.send_signal(signal.SIGINT)
        while not refused(url):
            sleep(0.01)
        code, _, errors = interrupt(process)
    assert code == 0
    assert [line.split()[1:4] for line in errors.splitlines()[1:]] == [["INFO", "POST", "/items/"]]  # no traceback
    assert [file.name for file in tmp_path.iterdir()] == ["belongings.db"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_however_often_ctrl_c_is_pressed_it_ends_cleanly(serve: Serve, databases: Databases, workers: str) -> None:
    process, url = serve("--workers", workers, DATABASE_URL=databases.empty("postgresql"))
    assert request(f"{url}/health/live")[0] == 200
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
        sleep(0.002)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (0, False)


def test_ctrl_c_ends_it_as_soon_as_it_says_where_it_listens_however_it_was_started(serve: Serve) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for a job in the background of a script
    try:
        process, _ = serve()
    finally:
        signal.signal(signal.SIGINT, before)
    assert interrupt(process) == (0, "", "")


def refused(url: str) -> bool:
    """Whether nobody listens there any more."""
    try:
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))).close()
    except ConnectionRefusedError:
        return True
    return False


def test_it_says_on_one_line_where_it_listens_and_nothing_more(serve: Serve) -> None:
    process, url = serve()
    assert url.startswith("http://127.0.0.1:")
    assert interrupt(process) == (0, "", "")


@pytest.mark.parametrize("url", ["memory://", "sqlite://", "sqlite:///:memory:"])
def test_it_serves_from_memory(serve: Serve, tmp_path: Path, url: str) -> None:
    _, address = serve(DATABASE_URL=url)
    assert request(f"{address}/items/", title="Towel")[1]["id"] == 1
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = belongings(tmp_path, "serve", "--port", str(port), DATABASE_URL="memory://")
    assert result.returncode == 1
    assert result.stderr == f"belongings: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"BELONGINGS_PORT": "99999"}, "BELONGINGS_PORT: Input should be less than or equal to 65535"),
        ({"BELONGINGS_PROT": "8000"}, "BELONGINGS_PROT is not a setting; see: belongings settings"),
        ({"DATABASE_URL": "pg:secret"}, "DATABASE_URL is not a database URL"),
        ({"DATABASE_URL": "oracle://u:secret@h/d"}, "DATABASE_URL must begin with"),
        ({"BELONGINGS_TLS_CERTIFICATE": "secret.pem"}, "BELONGINGS_TLS_CERTIFICATE: No such file or directory"),
        ({"BELONGINGS_HOST": "0.0.0.0"}, "0.0.0.0 can be reached from other machines, and the service has no auth"),
        ({"DATABASE_URL": "sqlite:////no/such/folder/a.db"}, "unable to open database file"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    result = belongings(tmp_path, "serve", **settings)
    assert result.returncode == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "secret" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_limit_on_open_files_that_is_too_low_is_one_warning_at_the_start(serve: Serve) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (899, limits[1]))
    try:
        process, _ = serve()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert interrupt(process)[2].count("WARNING the limit on open files (ulimit -n) is 899, ") == 1


def test_other_machines_may_call_if_that_is_meant(serve: Serve) -> None:
    _, url = serve("--host", "0.0.0.0", "--open-to-network", DATABASE_URL="memory://")
    assert request(url.replace("0.0.0.0", "127.0.0.1") + "/health/live")[0] == 200


def test_it_serves_even_if_it_cannot_print_where(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*COMMAND, "serve", "--port", str(port)]
    environment = _bare() | {"DATABASE_URL": "memory://", "BELONGINGS_LOG_REQUESTS": "false"}
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=full, stderr=subprocess.PIPE, text=True) as it,
    ):
        while it.poll() is None and refused(f"http://127.0.0.1:{port}"):
            sleep(0.01)
        if it.poll() is None:
            assert request(f"http://127.0.0.1:{port}/health/live")[0] == 200
            it.send_signal(signal.SIGINT)
        assert (it.communicate(timeout=60)[1], it.returncode) == ("", 0)


def test_responses_do_not_say_which_server_sends_them(serve: Serve) -> None:
    address = urlsplit(serve(DATABASE_URL="memory://")[1])
    for sent in (b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"no HTTP\r\n\r\n"):
        with socket.create_connection((address.hostname, address.port), timeout=60) as client:
            client.sendall(sent)
            head = client.makefile("rb").read().partition(b"\r\n\r\n")[0].lower()
        assert b"\r\ndate:" in head
        assert b"\r\nserver:" not in head


def redirected(url: str) -> str:
    """Where the service sends a client that left out a slash, as it was called over TLS by way of a proxy."""
    address = urlsplit(url)
    with closing(HTTPConnection(str(address.hostname), address.port or 0, timeout=60)) as connection:
        connection.request("GET", "/users", headers={"Host": "localhost", "X-Forwarded-Proto": "https"})
        return str(connection.getresponse().headers["Location"])


def test_a_redirect_names_no_scheme_and_no_host_behind_a_proxy_or_not(serve: Serve) -> None:
    assert redirected(serve(DATABASE_URL="memory://")[1]) == "/users/"
    trusting = {"BELONGINGS_TRUSTED_PROXIES": "127.0.0.0/8", "BELONGINGS_ROOT_PATH": "/belongings"}
    _, url = serve(DATABASE_URL="memory://", **trusting)
    assert redirected(url) == "/belongings/users/"
    made = Request(f"{url}/items/", b'{"title": "Towel"}', {"Content-Type": "application/json"})
    with urllib.request.urlopen(made, timeout=60) as answer:
        assert answer.headers["Location"] == "/belongings/items/1"


def test_it_serves_over_tls(serve: Serve, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    files = {"BELONGINGS_TLS_CERTIFICATE": certificate.name, "BELONGINGS_TLS_KEY": key.name}
    _, url = serve(DATABASE_URL="memory://", **files)
    assert url.startswith("https://127.0.0.1:")
    trusting = ssl.create_default_context(cafile=str(certificate))
    with urllib.request.urlopen(f"{url}/health/live", timeout=60, context=trusting) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("url", ["memory://", "sqlite://"])
def test_several_workers_cannot_share_one_memory(tmp_path: Path, url: str) -> None:
    result = belongings(tmp_path, "serve", "--workers", "2", DATABASE_URL=url)
    assert result.returncode == 1
    assert "each would have" in result.stderr


def test_a_database_that_is_away_is_reported_and_the_service_starts(serve: Serve) -> None:
    process, url = serve(DATABASE_URL="postgresql://postgres:secret@127.0.0.1:1/none")
    assert request(f"{url}/health/live") == (200, {"status": "ok"})
    status, problem = request(f"{url}/health/ready")
    assert (status, problem["type"]) == (503, "urn:problem-type:belongings:database-unavailable")
    _, _, errors = interrupt(process)
    assert "until then /health/ready is 503" in errors
    assert "Traceback" not in errors
    assert "secret" not in errors


def test_a_newer_schema_refuses_the_start(tmp_path: Path) -> None:
    belongings(tmp_path, "migrate")
    with closing(sqlite3.connect(tmp_path / "belongings.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    result = belongings(tmp_path, "serve")
    assert result.returncode == 1
    assert "at revision 9999, which is newer than this service" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_schema_that_is_behind_is_reported_until_it_is_migrated(
    serve: Serve, tmp_path: Path, databases: Databases
) -> None:
    database = databases.empty("postgresql")
    process, url = serve(DATABASE_URL=database)
    status, problem = request(f"{url}/health/ready")
    assert (status, problem["type"]) == (503, "urn:problem-type:belongings:schema-mismatch")
    assert problem["detail"] == "the database is empty; run: belongings migrate"
    assert request(f"{url}/users/")[0] == 503
    assert belongings(tmp_path, "migrate", DATABASE_URL=database).returncode == 0
    assert request(f"{url}/health/ready")[0] == 200
    assert request(f"{url}/users/", email="a@example.com", password="long enough")[0] == 200
    assert "run: belongings migrate; until then /health/ready is 503" in interrupt(process)[2]


def test_several_workers_share_a_server(serve: Serve, tmp_path: Path, databases: Databases) -> None:
    database = databases.empty("postgresql")
    belongings(tmp_path, "migrate", DATABASE_URL=database)
    process, url = serve("--workers", "2", DATABASE_URL=database)
    assert request(f"{url}/users/", email="a@example.com", password="long enough")[0] == 200
    assert [request(f"{url}/users/1")[0] for _ in range(20)] == [200] * 20
    code, _, errors = interrupt(process)
    assert (code, "Traceback" in errors) == (0, False)


def test_one_sqlite_file_has_one_service_at_a_time(serve: Serve, tmp_path: Path) -> None:
    if single_process_reason() is None:
        pytest.skip("this SQLite lets several processes write")
    process, url = serve()
    request(f"{url}/health/ready")
    for command in ("serve", "migrate"):
        second = belongings(tmp_path, command)
        assert second.returncode == 1
        assert "another process uses it" in second.stderr
    interrupt(process)
    assert belongings(tmp_path, "migrate").returncode == 0


def test_uvicorn_starts_it_too(tmp_path: Path) -> None:
    wrong = subprocess.run(
        [sys.executable, "-m", "uvicorn", "--factory", "entrypoints.api.app:create_app"],
        cwd=tmp_path,
        env=_bare() | {"BELONGINGS_THREADS": "many"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert wrong.returncode == 1
    assert wrong.stderr.splitlines()[-1].startswith("belongings: BELONGINGS_THREADS: Input should be a valid integer")
    assert "Traceback" not in wrong.stderr
