"""Where the service listens, with which certificate, and where it refuses to."""

import asyncio
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest
import uvloop
from uvicorn import Server

from entrypoints.server.listening import CannotServe, check_tls, find_address, listen, warn_about_open_files
from entrypoints.server.serving import ACCEPTS_PER_TURN, run
from entrypoints.settings import Settings
from tests.certificates import make_certificate

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "127.1", "::1"])
def test_it_listens_where_only_this_machine_can_call(host: str) -> None:
    assert ip_address(find_address(host, 8000, open_to_network=False)[1][0]).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0", "0x0", "::ffff:0.0.0.0", "192.0.2.1", "fe80::1"])
def test_it_refuses_where_other_machines_can_call_unless_that_is_meant(host: str) -> None:
    with pytest.raises(CannotServe, match=r"has no authentication.*--open-to-network") as refusal:
        find_address(host, 0, open_to_network=False)
    assert "\n" not in str(refusal.value)


def test_a_name_is_judged_by_the_address_that_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_up(host: str, port: int, *_: object) -> list[tuple[object, ...]]:
        assert host == "localhost"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("0.0.0.0", port))]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    with pytest.raises(CannotServe, match="other machines"):
        find_address("localhost", 0, open_to_network=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_it_listens_on_every_address_if_that_is_meant(host: str) -> None:
    assert find_address(host, 8000, open_to_network=True)[1][:2] == (host, 8000)


def test_what_was_found_can_be_listened_on() -> None:
    with listen(*find_address("localhost", 0, open_to_network=False)) as listener:
        assert listener.getsockname()[1] > 0


def test_a_host_that_does_not_exist_is_one_clear_line() -> None:
    with pytest.raises(CannotServe, match=r"cannot listen on :8000: Name or service not known"):
        find_address("", 8000, open_to_network=False)


@pytest.mark.parametrize(("limit", "warns"), [(899, True), (900, False), (resource.RLIM_INFINITY, False)])
def test_a_limit_on_open_files_that_is_too_low_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, limit: int, warns: bool
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, resource.RLIM_INFINITY))
    warn_about_open_files(800)
    said = "the limit on open files (ulimit -n) is 899, but BELONGINGS_CONNECTIONS=800 needs at least 900"
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [("WARNING", said)] * warns


def test_a_certificate_and_its_key_make_it_https(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    assert check_tls(Settings(tls_certificate=str(certificate), tls_key=str(key))) == "https"
    (both := tmp_path / "both.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
    assert check_tls(Settings(tls_certificate=str(both))) == "https"


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        (None, "key.pem", "BELONGINGS_TLS_KEY needs a BELONGINGS_TLS_CERTIFICATE"),
        ("none.pem", "key.pem", "BELONGINGS_TLS_CERTIFICATE: No such file or directory"),
        ("certificate.pem", "none.pem", "BELONGINGS_TLS_KEY: No such file or directory"),
        ("certificate.pem", ".", "BELONGINGS_TLS_KEY: Is a directory"),
        ("certificate.pem", "other/key.pem", "BELONGINGS_TLS_KEY is not the key of BELONGINGS_TLS_CERTIFICATE"),
        ("certificate.pem", "secret/key.pem", "BELONGINGS_TLS_KEY is encrypted; the service has no password for it"),
        ("certificate.pem", None, "BELONGINGS_TLS_CERTIFICATE and BELONGINGS_TLS_KEY are not both readable as PEM"),
        ("empty.pem", "key.pem", "BELONGINGS_TLS_CERTIFICATE and BELONGINGS_TLS_KEY are not both readable as PEM"),
    ],
)
def test_files_that_do_not_fit_are_one_clear_line(
    tmp_path: Path, certificate: str | None, key: str | None, said: str
) -> None:
    make_certificate(tmp_path)
    for folder, password in (("other", None), ("secret", b"hunter2")):
        (tmp_path / folder).mkdir()
        make_certificate(tmp_path / folder, password=password)
    (tmp_path / "empty.pem").touch()
    files = {"tls_certificate": certificate, "tls_key": key}
    with pytest.raises(CannotServe) as refusal:
        check_tls(Settings(**{name: str(tmp_path / file) for name, file in files.items() if file}))  # type: ignore[arg-type]  # by name
    assert str(refusal.value) == said


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a shell gives them to a job in the background of a script: SIGINT is ignored."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")  # so that it is as before in the end
    before = {each: signal.getsignal(each) for each in SIGNALS}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.usefixtures("handlers")
def test_an_interrupt_is_remembered_from_when_it_says_that_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def start(server: Server, sockets: object) -> None:
        seen.append(server.should_exit)
        server.started = True

    monkeypatch.setattr(Server, "run", start)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        run(listener, Settings(), workers=1, reload=False, announce=lambda: signal.raise_signal(signal.SIGINT))
    assert seen == [True]


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("early", SIGNALS)
@pytest.mark.parametrize(("workers", "reload"), [(2, False), (1, True)])
def test_a_signal_before_any_worker_starts_ends_it(early: signal.Signals, workers: int, reload: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(SystemExit) as ended:
        run(listener, Settings(), workers=workers, reload=reload, announce=lambda: signal.raise_signal(early))
    assert not ended.value.code


@pytest.mark.usefixtures("handlers")
def test_many_connections_are_accepted_in_one_turn_of_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = 100
    accepted = [0]  # in each turn

    class Accepted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted[-1] += 1
            transport.close()

    async def accept_all(sockets: list[socket.socket]) -> None:
        async with asyncio.timeout(50):
            servers = [await asyncio.get_running_loop().create_server(Accepted, sock=each) for each in sockets]
            while sum(accepted) < waiting:
                accepted.append(0)
                await asyncio.sleep(0)
        for each in servers:
            each.close()

    def start(server: Server, sockets: list[socket.socket]) -> None:
        uvloop.run(accept_all(sockets))
        server.started = True

    monkeypatch.setattr(Server, "run", start)
    with ExitStack() as clients, socket.create_server(("127.0.0.1", 0), backlog=waiting) as listener:
        for _ in range(waiting):
            clients.enter_context(socket.create_connection(listener.getsockname()))
        run(listener, Settings(), workers=1, reload=False, announce=lambda: None)
    assert max(accepted) == ACCEPTS_PER_TURN > 10
