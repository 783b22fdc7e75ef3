"""What all tests of faults start: the service and its databases, as processes that may be killed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.databases import missing, new_database
from tests.faults.service import Service
from tests.own_servers import OwnServer, own_mariadb, own_postgresql

OwnServers = Callable[[str], OwnServer]
Belongings = Callable[..., Service]
Figure = Callable[[str], None]


@pytest.fixture(scope="session")
def own_servers() -> Iterator[OwnServers]:
    """The server of this kind that may be killed; it runs when it is asked for."""
    with ExitStack() as stack:
        servers: dict[str, OwnServer | None] = {}

        def server(kind: str) -> OwnServer:
            if kind not in servers:
                servers[kind] = stack.enter_context(own_postgresql() if kind == "postgresql" else own_mariadb())
            found = servers[kind]
            if found is None:
                missing(f"{kind} is not installed, so there is none that may be killed")
            assert found is not None
            if not found.runs:  # the test before has left it so
                found.start()
            return found

        yield server


@pytest.fixture
def own_server(request: pytest.FixtureRequest, own_servers: OwnServers) -> OwnServer:
    """A server that may be killed; the test says of which kind, by an indirect parameter."""
    return own_servers(request.param)


@pytest.fixture
def belongings(tmp_path: Path) -> Iterator[Belongings]:
    """Starts the service, on a free port; each ends with the test."""
    with ExitStack() as stack:

        def start(*arguments: str, **given: object) -> Service:
            count = len(list(tmp_path.glob("service-*")))
            folder = tmp_path / f"service-{count}"
            folder.mkdir()
            return stack.enter_context(Service(folder, *arguments, **given))  # type: ignore[arg-type]  # by name

        yield start


@pytest.fixture
def own_database(own_server: OwnServer) -> Iterator[str]:
    """The URL of an empty database on ``own_server``."""
    with new_database(own_server.url) as url:
        yield url
        if not own_server.runs:
            own_server.start()


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Notes what a test has seen; all of it is printed at the end of the run."""
    return partial(record_property, "figure")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    figures = [(each.nodeid, value) for each in reports for name, value in each.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("figures")
    for test, value in dict.fromkeys(figures):
        terminalreporter.write_line(f"{test}\n    {value}")
