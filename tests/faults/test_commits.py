"""A commit that fails is never a success; what became of it can be found out by asking again."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from selectors import EVENT_READ, DefaultSelector
from threading import Event, Thread
from typing import cast

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import URL, text

from entrypoints.api.app import create_app
from entrypoints.container import SqlContainer
from service_layer.errors import OutcomeUnknown
from service_layer.read_models import ITEMS, PageParams
from tests.api.problems import expect_problem
from tests.conftest import Databases, container_for
from tests.contract.stored import stored_item
from tests.faults.conftest import Belongings
from tests.faults.system_calls import traced

BODY = {"title": "Towel"}
KEY = {"Idempotency-Key": "1"}


class CommitCutter:
    """A way to a server on which connections are lost when they commit: before the server has it, or with its answer.

    :ivar url: of the database, by this way.
    :ivar answered: whether the server has it then.
    :ivar armed: whether they are lost; without it they are not.
    """

    def __init__(self, url: URL, *, answered: bool) -> None:
        self._server = (url.host, url.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = url.set(host="127.0.0.1", port=self._listener.getsockname()[1])
        self.answered = answered
        self.armed = Event()
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._carry, args=[client], daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server, DefaultSelector() as ready, suppress(OSError):
            ready.register(client, EVENT_READ, server)
            ready.register(server, EVENT_READ, client)
            cut = False
            while True:
                for key, _ in ready.select():
                    data = cast(socket.socket, key.fileobj).recv(65536)
                    commits = key.fileobj is client and data.rstrip(b"\0").endswith(b"COMMIT")
                    if not data or cut or (commits and self.armed.is_set() and not self.answered):
                        return
                    cut = commits and self.armed.is_set()
                    key.data.sendall(data)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
@pytest.mark.parametrize("answered", [False, True])
def test_a_connection_that_is_lost_at_the_commit_is_no_success_and_asking_again_does_it_once(
    databases: Databases, kind: str, answered: bool
) -> None:
    direct = cast(SqlContainer, databases.migrated(kind))
    with ExitStack() as stack:
        way = CommitCutter(direct.url(), answered=answered)
        stack.callback(way.close)
        container = container_for(way.url.render_as_string(hide_password=False))
        client = stack.enter_context(TestClient(create_app(container)))
        assert client.post("/items/", json={"title": "Sieve"}).status_code == 200  # the connection is ready, and stays
        way.armed.set()
        expect_problem(client.post("/items/", json=BODY, headers=KEY), 503, "outcome-unknown")
        assert len(direct.unit_of_work().views.list(ITEMS, PageParams()).rows) == 1 + answered
        way.armed.clear()
        assert client.post("/items/", json=BODY, headers=KEY).status_code == 200
        assert [item["title"] for item in client.get("/items/").json()] == ["Sieve", "Towel"]


@pytest.mark.parametrize(
    ("code", "status", "type"), [("40001", 503, "database-unavailable"), ("23514", 500, "about:blank")]
)
def test_a_commit_that_postgresql_refuses_is_no_success_and_nothing_is_kept(
    databases: Databases, code: str, status: int, type: str
) -> None:
    container = cast(SqlContainer, databases.migrated("postgresql"))
    with (
        TestClient(create_app(container), raise_server_exceptions=False) as client,
        refused_at_commit(container, code),
    ):
        expect_problem(client.post("/items/", json=BODY), status, type)
        assert client.get("/items/").json() == []
    with TestClient(create_app(container)) as client:
        assert client.post("/items/", json=BODY).status_code == 200


@contextmanager
def refused_at_commit(container: SqlContainer, code: str) -> Iterator[None]:
    """Let PostgreSQL find, when it commits, that an item cannot be kept."""
    with container.engines().writer.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        )
    yield
    with container.engines().writer.begin() as connection:
        connection.execute(text("DROP FUNCTION refuse CASCADE"))


def test_a_commit_that_cannot_be_written_is_no_success_on_sqlite_and_asking_again_does_it_once(
    databases: Databases,
) -> None:
    container = databases.migrated("sqlite")
    with TestClient(create_app(container)) as client:
        assert client.post("/items/", json={"title": "Sieve"}).status_code == 200
        with no_longer_files():
            for _ in range(2):
                expect_problem(client.post("/items/", json=BODY, headers=KEY), 503, "outcome-unknown")
            assert len(client.get("/items/").json()) == 1
        assert client.post("/items/", json=BODY, headers=KEY).status_code == 200
        assert [item["title"] for item in client.get("/items/").json()] == ["Sieve", "Towel"]


def test_of_units_of_work_that_could_not_be_committed_together_the_outcome_is_unknown_on_sqlite(
    databases: Databases,
) -> None:
    container = databases.migrated("sqlite")
    stored_item(container.unit_of_work)
    with no_longer_files(), pytest.raises(OutcomeUnknown), container.store().group_commit():
        stored_item(container.unit_of_work)
        stored_item(container.unit_of_work)
    stored_item(container.unit_of_work)
    container.store().close()


def test_what_sqlite_could_not_sync_may_be_there_after_a_kill_and_asking_again_does_it_once(
    belongings: Belongings,
) -> None:
    service = belongings()

    def titles() -> list[str]:
        return [item["title"] for item in httpx2.get(f"{service.url}/items/").json()]

    assert httpx2.post(f"{service.url}/items/", json={"title": "Sieve"}).status_code == 200  # the log has a head
    with traced(service.process.pid, "-e", "inject=fsync,fdatasync:error=EIO"):
        expect_problem(httpx2.post(f"{service.url}/items/", json=BODY, headers=KEY), 503, "outcome-unknown")
        assert titles() == ["Sieve"]
        service.kill()
    service.start()
    assert titles() == ["Sieve", "Towel"]
    assert httpx2.post(f"{service.url}/items/", json=BODY, headers=KEY).status_code == 200
    assert titles() == ["Sieve", "Towel"]


@contextmanager
def no_longer_files() -> Iterator[None]:
    """Let this process write nothing behind the first bytes of any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
