"""``belongings copy``, between all SQL databases."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection, NullPool, create_engine, delete, func, insert, select, text, update
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from adapters.sql.engine.engines import Limits, create_engines, parse_url
from adapters.sql.mapping.mappers import start_mappers
from adapters.sql.mapping.removals import mark_removed
from adapters.sql.mapping.schema import REVISIONS
from adapters.sql.mapping.tables import data_tables, idempotency_keys, items, metadata, users
from adapters.sql.operations import copying
from adapters.sql.operations.migrations import migrate
from adapters.sql.reading.views import SqlAlchemyViews
from adapters.sql.writing.sessions import Sessions
from adapters.sql.writing.unit_of_work import SqlAlchemyUnitOfWork
from domain.errors import BelongingsError
from domain.items import DESCRIPTION_MAX_LENGTH, PRICE_MAX, Item
from domain.text import fold_text
from domain.users import User, canonical_email
from entrypoints.cli import app
from entrypoints.container import build_operations
from service_layer.errors import StorageUnavailable
from service_layer.operations import Progress
from tests.conftest import Databases
from tests.contract.values import TEXTS
from tests.databases import SQL

USERS, ITEMS, REMOVED = 120, 350, 7
DESCRIPTIONS = [None, "", *TEXTS, "\U0001f600" * DESCRIPTION_MAX_LENGTH]
PRICES = [None, Decimal(0), Decimal("0.01"), Decimal("1.10"), Decimal("79.99"), PRICE_MAX]
COPIED = f"Copied {USERS - REMOVED} users and {ITEMS - REMOVED} items; counts and checksums agree\n"

Rows = list[tuple[Any, ...]]


@pytest.fixture(autouse=True)
def several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_BATCH", 100)


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Callable[[str], str]:
    """The URL of a database with rows of all sorts, the first and the last of which were removed."""
    made: dict[str, str] = {}

    def fill_once(kind: str) -> str:
        if kind not in made:
            made[kind] = databases.empty(kind)
            migrate(parse_url(made[kind]))
            on(made[kind], fill)
        return made[kind]

    return fill_once


def fill(connection: Connection) -> None:
    people = [
        {
            "email": f"É{n}@Example.com",
            "email_key": canonical_email(f"É{n}@Example.com"),
            "hashed_password": TEXTS[n % len(TEXTS)],
            "is_active": n % 3 > 0,
            "version": 1 + n % 4,
        }
        for n in range(USERS)
    ]
    things = [
        {
            "title": TEXTS[n % len(TEXTS)],
            "description": DESCRIPTIONS[n % len(DESCRIPTIONS)],
            "price": PRICES[n % len(PRICES)],
            "owner_id": 2 + n % (USERS - REMOVED) if n % 5 else None,
            "version": 1 + n % 3,
            "search_text": fold_text(f"{TEXTS[n % len(TEXTS)]}\n{DESCRIPTIONS[n % len(DESCRIPTIONS)] or ''}"),
        }
        for n in range(ITEMS)
    ]
    for table, count, added in ((users, USERS, people), (items, ITEMS, things)):
        connection.execute(insert(table), added)
        removed = [1, *range(count, count - REMOVED + 1, -1)]
        connection.execute(delete(table).where(table.c.id.in_(removed)))


def on(url: str, act: Callable[[Connection], Any]) -> Any:
    """What ``act`` returns in a transaction on this database."""
    engine = create_engine(parse_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("PRAGMA foreign_keys = ON"))
        return act(connection)


def rows(url: str) -> Rows:
    """Every row of every table as the database has it, in id order."""
    queries = [text(f"SELECT * FROM {table} ORDER BY id") for table in ("users", "items")]
    found = on(url, lambda connection: [tuple(row) for query in queries for row in connection.execute(query)])
    return cast(Rows, found)


def add(url: str, **waits: Any) -> tuple[int, int]:
    """Add a user and an item as a service does; their ids."""
    start_mappers()
    engines = create_engines(parse_url(url), Limits(**waits))
    user, item = User(email="last@example.com", hashed_password="x"), Item(title="last")
    try:
        with SqlAlchemyUnitOfWork(Sessions(engines.writer), SqlAlchemyViews(engines.reader, engines.scanner)) as uow:
            uow.users.add(user)
            uow.items.add(item)
            uow.commit()
    finally:
        engines.close()
    return cast(int, user.id), cast(int, item.id)


def copy(source: str, target: str) -> Result:
    return CliRunner().invoke(app, ["copy", "--from", source, "--to", target], env={"COLUMNS": "200"})


def refused(source: str, target: str) -> str:
    """The one line that is said about it."""
    result = copy(source, target)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("belongings: ")
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


@pytest.mark.parametrize("target_kind", SQL)
@pytest.mark.parametrize("source_kind", SQL)
def test_everything_arrives_as_it_was_and_ids_go_on_behind_it(
    databases: Databases, filled: Callable[[str], str], source_kind: str, target_kind: str
) -> None:
    source, target = filled(source_kind), databases.empty(target_kind)
    before = rows(source)
    result = copy(source, target)
    assert (result.stdout, result.stderr, result.exit_code) == (COPIED, "", 0)
    assert rows(target) == rows(source) == before
    assert add(target) == (USERS + 1, ITEMS + 1)  # the last ids that the source gave are not there any more


def test_every_table_can_be_copied_and_all_are_but_those_of_receipts_and_removals() -> None:
    assert {table.name for table in data_tables()} == metadata.tables.keys() - {"idempotency_keys", "removed_users"}
    assert [table.name for table in data_tables() if [*table.primary_key] != [table.c.get("id")]] == []


def test_receipts_are_left_behind(databases: Databases, empty_url: str) -> None:
    migrate(parse_url(empty_url))
    record = {"key": "k", "fingerprint": "f", "answer": "{}", "expires_at": 2**40}
    on(empty_url, lambda connection: connection.execute(insert(idempotency_keys), record))
    target = databases.empty("sqlite")
    assert copy(empty_url, target).exit_code == 0
    assert on(target, lambda connection: connection.scalar(select(func.count()).select_from(idempotency_keys))) == 0


def test_who_is_removed_is_left_behind_with_the_items_that_are_not_deleted_yet(
    databases: Databases, empty_url: str
) -> None:
    migrate(parse_url(empty_url))
    add(empty_url)
    on(empty_url, lambda connection: connection.execute(update(items).values(owner_id=1)))
    on(empty_url, lambda connection: mark_removed(Session(connection), 1, 1))
    add(empty_url)
    target = databases.empty("sqlite")
    assert copy(empty_url, target).stdout == "Copied 1 users and 1 items; counts and checksums agree\n"
    assert [row[0] for row in rows(target)] == [2, 2]


def test_ids_that_the_target_gave_do_not_come_back_either(filled: Callable[[str], str], empty_url: str) -> None:
    migrate(parse_url(empty_url))
    things = [{"title": "x", "version": 1, "search_text": "x\n"}] * (ITEMS + 50)
    on(empty_url, lambda connection: connection.execute(insert(items), things))
    on(empty_url, lambda connection: connection.execute(delete(items)))
    assert copy(filled("sqlite"), empty_url).stdout == COPIED
    assert add(empty_url) == (USERS + 1, ITEMS + 51)


def test_a_target_with_rows_is_refused_and_stays_as_it_is(filled: Callable[[str], str], empty_url: str) -> None:
    migrate(parse_url(empty_url))
    add(empty_url)
    before = rows(empty_url)
    assert refused(filled("sqlite"), empty_url) == "belongings: target: it is not empty\n"
    assert rows(empty_url) == before


@pytest.mark.parametrize("kind", SQL)
def test_a_database_is_not_copied_onto_itself(filled: Callable[[str], str], kind: str) -> None:
    url = filled(kind)
    before = rows(url)
    assert "are the same database" in refused(url, url)
    option = "timeout" if kind == "sqlite" else "connect_timeout"
    assert "it is not empty" in refused(url, f"{url}?{option}=4")
    assert rows(url) == before


def test_an_empty_database_can_be_copied(empty_url: str, databases: Databases) -> None:
    migrate(parse_url(empty_url))
    target = databases.empty("sqlite")
    assert copy(empty_url, target).stdout == "Copied 0 users and 0 items; counts and checksums agree\n"
    assert add(target) == (1, 1)


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        (None, "the database is empty; run: belongings migrate"),
        (REVISIONS[0], f"the database is at revision {REVISIONS[0]}, not {REVISIONS[-1]}; run: belongings migrate"),
        ("9999", "the database is at revision 9999, which is newer than this service; run a newer one"),
    ],
    ids=["none", "old", "newer"],
)
def test_a_schema_that_is_not_the_newest_is_refused(
    filled: Callable[[str], str], databases: Databases, empty_url: str, revision: str | None, said: str
) -> None:
    if revision:
        migrate(parse_url(empty_url), "head" if revision == "9999" else revision)
        on(
            empty_url,
            lambda connection: connection.execute(text(f"UPDATE alembic_version SET version_num = {revision!r}")),
        )
        assert refused(filled("sqlite"), empty_url) == f"belongings: target: {said}\n"
    elif empty_url.startswith("sqlite"):
        Path(str(parse_url(empty_url).database)).touch()
    target = databases.empty("sqlite")
    assert refused(empty_url, target) == f"belongings: source: {said}\n"
    assert not Path(str(parse_url(target).database)).exists()


KILLED = """
import sys
from adapters.sql.operations import copying
from entrypoints.container import build_operations

def show(step, done, total):
    print(step, done, flush=True)
    if (step, done) == ("checking items", 200):
        sys.stdin.read()

copying._BATCH = 100
source, target = (build_operations("URL", url) for url in sys.argv[1:])
source.copy_to(target, show)
"""


def test_a_copy_that_was_killed_leaves_no_rows_and_can_be_run_again(
    filled: Callable[[str], str], empty_url: str
) -> None:
    source = filled("sqlite")
    command = [sys.executable, "-c", KILLED, source, empty_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "checking items 200\n" in iter(process.stdout.readline, "")
        process.kill()
    assert rows(empty_url) == []
    assert copy(source, empty_url).stdout == COPIED
    assert rows(empty_url) == rows(source)
    assert add(empty_url) == (USERS + 1, ITEMS + 1)


def copy_database(source: str, target: str, progress: Progress) -> dict[str, int]:
    return build_operations("--from", source).copy_to(build_operations("--to", target), progress)


def during(source: str, target: str, act: Callable[[], object]) -> None:
    """Copy, and do something when the first items have been sent."""

    def progress(step: str, done: int, total: int) -> None:
        if (step, done) == ("copying items", 100):
            act()

    assert copy_database(source, target, progress) == {"users": USERS - REMOVED, "items": ITEMS - REMOVED}


def test_nobody_writes_into_the_target_meanwhile(filled: Callable[[str], str], empty_url: str) -> None:
    def write() -> None:
        with pytest.raises(StorageUnavailable):
            add(empty_url, statement_wait=1, pool_wait=1.0)

    migrate(parse_url(empty_url))
    during(filled("sqlite"), empty_url, write)
    assert rows(empty_url) == rows(filled("sqlite"))
    assert add(empty_url)[0] > USERS


def test_the_source_serves_on_and_what_is_written_there_meanwhile_is_left_out(
    filled: Callable[[str], str], databases: Databases, empty_url: str
) -> None:
    during(filled("sqlite"), empty_url, lambda: None)
    before = rows(empty_url)
    target = databases.empty("sqlite")
    during(empty_url, target, lambda: add(empty_url))
    assert rows(target) == before
    assert len(rows(empty_url)) == len(before) + 2


def test_of_two_copies_at_once_one_is_refused(filled: Callable[[str], str], empty_url: str) -> None:
    second: list[Future[dict[str, int]]] = []
    source = filled("sqlite")
    with ThreadPoolExecutor(1) as thread:

        def start() -> None:
            second.append(thread.submit(copy_database, source, empty_url, lambda *_: None))

        during(source, empty_url, start)
        with pytest.raises(BelongingsError, match=r"^target: "):
            second[0].result()
    assert rows(empty_url) == rows(source)


def test_a_target_that_keeps_something_else_is_found_out(filled: Callable[[str], str], databases: Databases) -> None:
    target = databases.empty("mariadb")
    migrate(parse_url(target))
    spoil = "CREATE TRIGGER t BEFORE INSERT ON items FOR EACH ROW SET NEW.price = 2"
    on(target, lambda connection: connection.execute(text(spoil)))
    assert "the items differ" in refused(filled("sqlite"), target)
    assert rows(target) == []


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_text_that_a_server_cannot_keep_is_refused_in_one_line(databases: Databases, kind: str) -> None:
    source, target = databases.empty("sqlite"), databases.empty(kind)
    migrate(parse_url(source))
    title = "x\x00y" if kind == "postgresql" else "x" * 300
    on(source, lambda connection: connection.execute(insert(items), {"title": title, "version": 1, "search_text": ""}))
    assert "the copy failed: " in refused(source, target)
    assert rows(target) == []


@pytest.mark.parametrize(
    "value",
    [
        "price = 'secret'",
        "price = x'736563726574'",
        "price = 1.5",
        "title = x'736563726574'",
        "title = CAST(x'736563726574c3' AS TEXT)",
    ],
)
def test_a_value_of_the_wrong_type_is_one_line_that_names_the_command_and_not_the_value(
    databases: Databases, value: str
) -> None:
    source, target = databases.empty("sqlite"), databases.empty("mariadb")
    migrate(parse_url(source))
    on(source, lambda connection: connection.execute(insert(items), {"title": "x", "version": 1, "search_text": ""}))
    on(source, lambda connection: connection.execute(text(f"UPDATE items SET {value}")))
    line = refused(source, target)
    assert line.endswith("; to see which, run belongings check on the source\n")
    assert "secret" not in line
    assert rows(target) == []


@pytest.mark.parametrize("option", ["--from", "--to"])
@pytest.mark.parametrize("url", ["memory://", "sqlite://", "sqlite:///:memory:"])
def test_memory_cannot_be_copied(filled: Callable[[str], str], option: str, url: str) -> None:
    urls = (url, filled("sqlite")) if option == "--from" else (filled("sqlite"), url)
    assert refused(*urls).startswith(f"belongings: {option} names a database in memory")


@pytest.mark.parametrize(
    "url",
    [
        "pg:secret",
        "oracle://me:secret@host/name",
        "postgresql://me:secret@127.0.0.1:1/none",
        "mysql://me:secret@127.0.0.1:1/none",
        "postgresql://me:secret@127.0.0.1:1/none?nonsense=secret",
        "mysql://me:secret@127.0.0.1:1/none?nonsense=secret",
        "mysql://me:secret@127.0.0.1:1/none?connect_timeout=secret",
        "sqlite:////no/such/folder/secret.db",
    ],
)
def test_what_is_wrong_is_one_line_without_a_password(filled: Callable[[str], str], url: str) -> None:
    assert "secret" not in refused(url, filled("sqlite"))
    assert "secret" not in refused(filled("sqlite"), url)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    said = refused(f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db")
    assert said == "belongings: source: there is no such file\n"
    assert list(tmp_path.iterdir()) == []


def test_help_names_it() -> None:
    assert "copy" in CliRunner().invoke(app, ["--help"]).stdout
