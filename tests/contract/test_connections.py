"""What happens when the database is slow, full or away, on every SQL adapter."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from ssl import CERT_NONE, CERT_REQUIRED, SSLContext
from threading import Barrier, Thread
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from adapters.sql.engine.engines import parse_url
from adapters.sql.engine.pymysql_deadlines import DeadlineConnection
from domain.items import Item
from entrypoints.container import Container, build_container
from entrypoints.settings import Settings, processors
from service_layer.deadline import set_deadline
from service_layer.errors import IdempotencyKeyInUse, StorageUnavailable
from service_layer.ports import IdempotencyRecord
from service_layer.read_models import ITEMS, PageParams
from tests.certificates import make_certificate
from tests.databases import SQL

SERVERS = ["postgresql", "mariadb"]
Impatient = Callable[..., Any]


@pytest.fixture(params=SQL)
def impatient(request: pytest.FixtureRequest, databases: Any) -> Iterator[Impatient]:
    """Makes containers on one database, which wait for nothing if they need not."""
    url = str(databases.migrated(request.param).url().render_as_string(hide_password=False))
    made = []

    def make(**settings: object) -> Container:
        given: dict[str, Any] = {"database_url": url, "pool_wait": 0.05, "statement_wait": 1, "threads": 2}
        made.append(build_container(Settings(**given | settings)))
        return made[-1]

    yield make
    for container in made:
        container.store().close()


def test_a_view_that_gets_no_connection_in_time_is_told(impatient: Impatient) -> None:
    container = impatient()
    views, reader = container.unit_of_work().views, container.engines().reader
    with ExitStack() as stack:
        for _ in range(reader.pool.size()):
            stack.enter_context(reader.connect())
        with pytest.raises(StorageUnavailable) as told:
            views.list(ITEMS, PageParams())
    assert told.value.reason == "all connections are in use"
    assert views.list(ITEMS, PageParams()).rows == []


def test_a_writer_that_has_to_wait_too_long_is_told_and_wrote_nothing(impatient: Impatient) -> None:
    one, other = impatient(), impatient()
    with one.unit_of_work() as first:
        item = Item(title="Towel")
        first.items.add(item)
        first.commit()
        first.items.get(item.id).title = "Sieve"
        with pytest.raises(StorageUnavailable), other.unit_of_work() as second:
            second.items.get(item.id).title = "Spoon"
            second.commit()
        first.commit()
    assert one.unit_of_work().views.read(ITEMS, item.id)["title"] == "Sieve"
    with other.unit_of_work() as again:
        again.items.get(item.id).title = "Spoon"
        again.commit()


def test_every_connection_comes_back(impatient: Impatient) -> None:
    container = impatient(pool_wait=10)
    barrier = Barrier(8)

    def use() -> None:
        barrier.wait()
        for n in range(5):
            with container.unit_of_work() as uow:
                uow.items.add(Item(title=str(n)))
                if n % 2:
                    uow.commit()
            uow.views.list(ITEMS, PageParams(limit=1))

    threads = [Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engines = container.engines()
    assert (engines.writer.pool.checkedout(), engines.reader.pool.checkedout()) == (0, 0)


def test_pools_are_as_large_as_the_threads_that_use_them_and_no_larger(impatient: Impatient) -> None:
    engines = impatient(threads=3).engines()
    assert engines.reader.pool.size() == 3 + 3 + 1 + processors() + 1
    assert engines.scanner.pool.size() == 1
    assert engines.writer.pool.size() == (1 if engines.writer.dialect.name == "sqlite" else 3 + processors() + 1)
    assert engines.reader.pool._max_overflow == engines.writer.pool._max_overflow == 0


@pytest.mark.parametrize("impatient", SERVERS, indirect=True)
@pytest.mark.parametrize("lost", ["writer", "reader"])
def test_connections_that_the_server_dropped_are_replaced(impatient: Impatient, lost: str) -> None:
    container = impatient(threads=2)
    engine = getattr(container.engines(), lost)
    postgresql = engine.dialect.name == "postgresql"
    whoami = text("SELECT pg_backend_pid()" if postgresql else "SELECT CONNECTION_ID()")
    with engine.connect() as one, engine.connect() as other:
        sessions = [one.scalar(whoami), other.scalar(whoami)]
    with impatient().engines().writer.begin() as connection:
        for session in sessions:
            connection.execute(text(f"SELECT pg_terminate_backend({session})" if postgresql else f"KILL {session}"))
    with container.unit_of_work() as uow:
        uow.items.add(Item(title="Towel"))
        uow.commit()
    assert len(uow.views.list(ITEMS, PageParams()).rows) == 1


@pytest.mark.parametrize("impatient", SERVERS, indirect=True)
@pytest.mark.parametrize(
    ("name", "settings"), [("reader", {"scan_wait": 60}), ("scanner", {"statement_wait": 60, "scan_wait": 0.2})]
)
def test_a_statement_that_takes_too_long_is_ended(impatient: Impatient, name: str, settings: dict[str, object]) -> None:
    engine = getattr(impatient(**settings).engines(), name)
    postgresql = engine.dialect.name == "postgresql"
    ended = pytest.raises(Exception, match=r"statement timeout|max_statement_time exceeded")
    with ended, engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(5)" if postgresql else "SELECT SLEEP(5)"))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


def test_scans_take_no_connection_of_other_reads(impatient: Impatient) -> None:
    container = impatient(scan_threads=1)
    with container.engines().scanner.connect():
        with pytest.raises(StorageUnavailable):
            container.unit_of_work().views.count(ITEMS)
        assert container.unit_of_work().views.list(ITEMS, PageParams()).rows == []
    assert container.unit_of_work().views.count(ITEMS) == 0


def test_a_scan_ends_with_the_time_of_its_thread(impatient: Impatient) -> None:
    container = impatient(statement_wait=60, scan_wait=60)
    container.engines().scanner.connect().close()
    endless = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
    if container.engines().scanner.dialect.name == "mysql":
        endless = text("SELECT SLEEP(60)")
    set_deadline(monotonic() + 0.2)
    try:
        with pytest.raises(OperationalError), container.engines().scanner.connect() as connection:
            connection.execute(endless)
    finally:
        set_deadline(None)


EXPECTED: dict[str, dict[str, object]] = {
    "sqlite": {
        "PRAGMA journal_mode": "wal",
        "PRAGMA synchronous": 2,
        "PRAGMA foreign_keys": 1,
        "PRAGMA query_only": 0,
    },
    "postgresql": {
        "SHOW application_name": "belongings",
        "SHOW timezone": "UTC",
        "SHOW transaction_isolation": "read committed",
        "SHOW statement_timeout": "1s",
        "SHOW idle_in_transaction_session_timeout": "5s",
    },
    "mysql": {
        "SELECT @@tx_isolation": "READ-COMMITTED",
        "SELECT @@time_zone": "+00:00",
        "SELECT @@character_set_connection": "utf8mb4",
        "SELECT @@max_statement_time": 1,
        "SELECT @@idle_transaction_timeout": 5,
        "SELECT @@sql_mode LIKE '%STRICT_ALL_TABLES%'": 1,
    },
}


def test_connections_are_set_up_as_documented(impatient: Impatient) -> None:
    engines = impatient().engines()
    with engines.writer.connect() as connection:
        for question, answer in EXPECTED[engines.writer.dialect.name].items():
            assert connection.scalar(text(question)) == answer, question


@pytest.mark.parametrize("impatient", ["sqlite"], indirect=True)
def test_readers_cannot_write_on_sqlite(impatient: Impatient) -> None:
    engines = impatient().engines()
    for engine in (engines.reader, engines.scanner):
        with pytest.raises(Exception, match="readonly"), engine.connect() as connection:
            connection.execute(text("DELETE FROM items"))


@pytest.mark.parametrize("impatient", ["postgresql"], indirect=True)
def test_every_transaction_is_isolated_as_documented_whatever_the_server_is_set_to(impatient: Impatient) -> None:
    container = impatient()
    writer = container.engines().writer
    name = container.url().database
    with writer.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"))
    try:
        writer.dispose()
        for _ in range(3):  # the second and later ones begin with what is also the ping
            with writer.begin() as connection:
                assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
    finally:
        with writer.begin() as connection:
            connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_isolation"))


@pytest.mark.parametrize("impatient", ["postgresql"], indirect=True)
def test_a_server_that_has_become_a_standby_is_not_available_to_writers(impatient: Impatient) -> None:
    container = impatient()
    with container.unit_of_work() as uow:
        uow._session.execute(text("SET TRANSACTION READ ONLY"))
        with pytest.raises(StorageUnavailable) as told:
            uow.items.add(Item(title="Towel"))
    assert "read-only transaction" in told.value.reason
    assert container.unit_of_work().views.list(ITEMS, PageParams()).rows == []


@pytest.mark.parametrize("impatient", SERVERS, indirect=True)
def test_whoever_waits_too_long_for_the_twin_of_a_request_is_told_that_it_is_at_work(impatient: Impatient) -> None:
    container = impatient(statement_wait=2)
    record = IdempotencyRecord("key", "request", "null", 2_000_000_000)
    with container.unit_of_work() as twin:
        twin.idempotency_records.add(record, now=0)
        with container.unit_of_work() as uow, pytest.raises(IdempotencyKeyInUse):
            uow.idempotency_records.add(record, now=0)


@pytest.mark.parametrize("impatient", ["sqlite"], indirect=True)
def test_a_writer_tries_again_only_if_somebody_else_writes(impatient: Impatient) -> None:
    writer = impatient(statement_wait=60).engines().writer
    with writer.begin() as connection, pytest.raises(OperationalError, match="within a transaction"):
        writer.dispatch.begin(connection)


def test_connections_to_mariadb_share_what_tls_needs_unless_they_trust_somebody_else(tmp_path: Path) -> None:
    certificate, _ = make_certificate(tmp_path)

    def context(options: str) -> SSLContext:
        url = parse_url(f"mysql://localhost/belongings{options}")
        (), arguments = url.get_dialect()().create_connect_args(url)
        return DeadlineConnection(**arguments, defer_connect=True).ctx

    trusting, choosy = context(""), context(f"?ssl_ca={certificate}")
    assert context("") is trusting
    assert choosy is not trusting
    assert [each.verify_mode for each in (trusting, choosy)] == [CERT_NONE, CERT_REQUIRED]
