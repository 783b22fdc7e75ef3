"""The figures of several workers, some of which are killed."""

from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from urllib.parse import urlsplit

from sqlalchemy import create_engine, text

from adapters.sql.engine.engines import parse_url
from adapters.sql.operations.migrations import migrate
from tests.conftest import Databases
from tests.faults.service import Service

READS = 'belongings_request_duration_seconds_count{method="GET",route="/items/{item_id}",status="404"}'
WRITERS = 'belongings_connections_in_use{pool="writing"}'


def read(url: str, path: str) -> str:
    """By a connection of its own, which any of the workers may take."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer


def figure(url: str, series: str) -> float:
    lines = [line for line in read(url, "/metrics").splitlines() if line.startswith(f"{series} ")]
    return float(lines[0].rpartition(" ")[2]) if lines else 0


def watched(folder: Path) -> set[str]:
    """Files of the workers that have said what they use."""
    return {file.name for file in folder.glob("gauge_livesum_*.db")}


def wait_until(true: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not true():
        assert monotonic() < deadline
        sleep(0.05)


def test_figures_of_all_workers_add_up_whoever_dies(tmp_path: Path, databases: Databases) -> None:
    database = databases.empty("postgresql")
    migrate(parse_url(database))
    with Service(tmp_path, "--workers", "2", DATABASE_URL=database, BELONGINGS_DEADLINE="60") as service:
        wait_until(lambda: len(service.workers) == 2)
        folder = Path(service.workers[0].environ()["PROMETHEUS_MULTIPROC_DIR"])
        wait_until(lambda: len(watched(folder)) == 2)
        for _ in range(40):
            read(service.url, "/items/1")
        assert {figure(service.url, READS) for _ in range(10)} == {40}
        engine = create_engine(parse_url(database))
        with engine.connect() as other:
            other.execute(text("LOCK TABLE items"))
            writer = Thread(target=_write, args=(service.url,))
            writer.start()
            wait_until(lambda: figure(service.url, WRITERS) == 1)
            before = watched(folder)
            for worker in service.workers:
                worker.kill()
            writer.join()
            other.rollback()
        engine.dispose()
        wait_until(lambda: len(watched(folder) - before) == 2)
        wait_until(lambda: figure(service.url, WRITERS) == 0)
        for _ in range(10):
            read(service.url, "/items/1")
        assert figure(service.url, READS) == 50
        assert service.stop() == 0
    assert not folder.exists()


def _write(url: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("POST", "/items/", '{"title": "Towel"}', {"Content-Type": "application/json"})
    try:
        connection.getresponse()
    except ConnectionError:
        pass  # its worker was killed
    finally:
        connection.close()
