"""``belongings check``, on every SQL database."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, create_engine, insert, select, text, update
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from adapters.sql.engine.engines import parse_url
from adapters.sql.engine.process_lock import ProcessLock, single_process_reason
from adapters.sql.mapping.removals import mark_removed
from adapters.sql.mapping.schema import REVISIONS
from adapters.sql.mapping.tables import items, removed_users, users
from adapters.sql.operations import checking, migrations
from adapters.sql.operations.migrations import migrate
from domain.text import fold_text
from entrypoints.cli import app
from service_layer.errors import SchemaMismatch
from tests.conftest import container_for
from tests.databases import SQL

PEOPLE, THINGS = 3, 9

_WITHOUT_FOREIGN_KEYS = {
    "sqlite": "PRAGMA foreign_keys = OFF",
    "postgresql": "SET session_replication_role = replica",
    "mysql": "SET foreign_key_checks = 0",
}


def on(url: str, act: Callable[[Connection], Any]) -> Any:
    """What ``act`` returns in a transaction on this database, where no foreign key holds."""
    engine = create_engine(parse_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(_WITHOUT_FOREIGN_KEYS[engine.dialect.name]))
        return act(connection)


def fill(connection: Connection) -> None:
    people = [{"email": f"{n}@x.example", "email_key": f"{n}@x.example"} for n in range(PEOPLE)]
    things = [
        {"title": f"Ä{n}", "search_text": fold_text(f"Ä{n}\n"), "owner_id": n % PEOPLE + 1} for n in range(THINGS)
    ]
    rest = {"hashed_password": "hash", "is_active": True, "version": 1}
    connection.execute(insert(users), [each | rest for each in people])
    connection.execute(insert(items), [each | {"price": None, "version": 1} for each in things])


@pytest.fixture
def url(empty_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A database with rows, that of the settings."""
    monkeypatch.setattr(checking, "_BATCH", 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", empty_url)
    migrate(parse_url(empty_url))
    on(empty_url, fill)
    return empty_url


def belongings(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def check(*options: str) -> tuple[int, list[str]]:
    """The status, and what is said of rows."""
    result = belongings("check", *options)
    assert result.stderr == "", result.exception
    return result.exit_code, result.stdout.splitlines()


def dump(path: Path) -> list[str]:
    """All that a SQLite file holds, as statements."""
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


def spoil(connection: Connection) -> None:
    """Leave items of a user who is gone, columns that are out of date, and values that break rules."""
    connection.execute(text("DELETE FROM users WHERE id = 3"))
    connection.execute(update(items).where(items.c.id == 4).values(search_text=""))
    connection.execute(update(users).where(users.c.id == 2).values(email_key="else@x.example"))
    connection.execute(update(items).where(items.c.id == 5).values(title=" \t"))
    connection.execute(text("UPDATE items SET price = -1 WHERE id = 7"))
    connection.execute(update(users).where(users.c.id == 1).values(email="me at home"))


WRONG = [
    "users 1: email must have the form local@domain",
    "users 2: email_key is out of date",
    "items 3: owner_id refers to a row that does not exist",
    "items 4: search_text is out of date",
    "items 5: title must not be blank",
    "items 6: owner_id refers to a row that does not exist",
    "items 7: price must be between 0 and 9999999999.99",
    "items 9: owner_id refers to a row that does not exist",
]


def test_a_sound_database_has_no_findings(url: str) -> None:
    assert check() == (0, ["Findings: 0"])
    assert check("--repair", "--backed-up") == (0, ["Findings: 0, of which 0 were repaired"])


def test_who_is_removed_but_has_items_that_are_not_deleted_yet_is_no_finding(url: str) -> None:
    on(url, lambda connection: mark_removed(Session(connection), 1, 1))
    assert check() == (0, ["Findings: 0"])
    assert check("--repair", "--backed-up") == (0, ["Findings: 0, of which 0 were repaired"])


def test_a_removed_user_whose_row_does_not_exist_is_found_and_repaired(url: str) -> None:
    on(url, lambda connection: connection.execute(insert(removed_users).values(user_id=77)))
    problem = "removed_users 77: user_id refers to a row that does not exist"
    assert check() == (1, [problem, "Findings: 1; belongings check --repair repairs what can be repaired"])
    assert check("--repair", "--backed-up") == (0, [f"{problem}; deleted", "Findings: 1, of which 1 were repaired"])
    assert check() == (0, ["Findings: 0"])
    if url.startswith("sqlite"):
        assert belongings("backup", "copy.db").exit_code == 0


def test_each_row_that_is_wrong_is_a_line_without_what_it_holds(url: str) -> None:
    on(url, spoil)
    status, lines = check()
    assert (status, lines[:-1]) == (1, WRONG)
    assert lines[-1] == "Findings: 8; belongings check --repair repairs what can be repaired"


def test_what_can_be_repaired_is_and_the_rest_is_left_as_it_is(url: str) -> None:
    on(url, spoil)
    status, lines = check("--repair", "--backed-up")
    assert status == 1
    assert sorted(lines[:-1]) == sorted(
        f"{line}; {done}"
        for line in WRONG
        for said, done in {"does not exist": "deleted", "out of date": "updated", "must": "not repaired"}.items()
        if said in line
    )
    assert lines[-1] == "Findings: 8, of which 5 were repaired"
    left = [line for line in WRONG if "must" in line]
    assert check() == (1, [*left, "Findings: 3; belongings check --repair repairs what can be repaired"])
    ids = select(items.c.id).order_by(items.c.id)
    assert on(url, lambda connection: connection.scalars(ids).all()) == [1, 2, 4, 5, 7, 8]
    assert on(url, lambda connection: connection.scalar(select(items.c.search_text).where(items.c.id == 4))) == "ä3\n"


def test_a_column_that_another_row_already_has_as_it_should_be_is_left_as_it_is(url: str) -> None:
    on(
        url,
        lambda connection: connection.execute(update(users).where(users.c.id == 2).values(email="0@x.example")),
    )
    status, lines = check("--repair", "--backed-up")
    assert (status, lines[0]) == (
        1,
        "users 2: email_key is out of date; not repaired, because another row has the correct value",
    )
    assert check()[1][0] == "users 2: email_key is out of date"


def test_an_id_below_one_is_found(url: str) -> None:
    row = {"id": -5, "title": "x", "version": 1, "search_text": "x\n"}
    on(url, lambda connection: connection.execute(insert(items), row))
    assert check()[1][0] == "items -5: id must be at least 1"


@pytest.mark.parametrize("revision", [REVISIONS[0], None])
def test_a_schema_that_is_not_the_newest_is_all_that_is_said(url: str, revision: str | None) -> None:
    on(url, lambda connection: connection.execute(text("DELETE FROM items")))
    on(url, lambda connection: connection.execute(text("DELETE FROM users")))
    migrate(parse_url(url), revision or "base")
    for options in ([], ["--repair", "--backed-up"]):
        status, (line, _) = check(*options)
        assert (status, line.split(": ")[0]) == (1, "schema")
        assert line.endswith("run: belongings migrate")


def test_a_server_is_not_repaired_unless_somebody_says_that_there_is_a_backup(url: str) -> None:
    if url.startswith("sqlite"):
        return
    on(url, spoil)
    result = belongings("check", "--repair")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "then add --backed-up" in result.stderr
    assert check()[1][:-1] == WRONG


@pytest.mark.parametrize("kind", SQL)
def test_a_copy_of_what_is_not_coherent_is_refused_and_names_the_command(databases: Any, kind: str) -> None:
    source, target = databases.empty("sqlite"), databases.empty(kind)
    migrate(parse_url(source))
    on(source, fill)
    on(source, spoil)
    result = belongings("copy", "--from", source, "--to", target)
    assert result.exit_code == 1
    assert "source: items refer to rows that do not exist; to see which, run belongings check" in result.stderr


def test_tables_outside_innodb_are_found_and_can_be_copied_out_of_but_not_into(
    databases: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, target = databases.empty("mariadb"), databases.empty("mariadb")
    migrate(parse_url(url))
    migrate(parse_url(target))
    on(url, fill)
    for statement in (
        "ALTER TABLE removed_users DROP FOREIGN KEY fk_removed_users_user_id",
        "ALTER TABLE items DROP FOREIGN KEY fk_items_owner_id",
        "ALTER TABLE items ENGINE = Aria",
        "ALTER TABLE users ENGINE = Aria",
    ):
        on(url, partial(Connection.execute, statement=text(statement)))
    problem = "not InnoDB tables: items, users; copy them into a new database: belongings copy"
    monkeypatch.setenv("DATABASE_URL", url)
    on(url, lambda connection: connection.execute(update(items).where(items.c.id == 4).values(search_text="")))
    assert check()[1][:-1] == [f"schema: {problem}", "items 4: search_text is out of date"]
    assert check("--repair", "--backed-up")[1][:-1] == [f"schema: {problem}"]
    assert belongings("copy", "--from", target, "--to", url).stderr == f"belongings: target: {problem}\n"
    assert belongings("copy", "--from", url, "--to", target).exit_code == 0
    monkeypatch.setenv("DATABASE_URL", target)
    assert check()[1][:-1] == ["items 4: search_text is out of date"]


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
def encoded(request: pytest.FixtureRequest, databases: Any) -> Iterator[tuple[str, str]]:
    """The URL of a database on PostgreSQL with another encoding than UTF8, and the line about it."""
    url = parse_url(databases.empty("postgresql"))
    name = f"{url.database}_{request.param.lower()}"
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    options = f"ENCODING {request.param} LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} {options}"))
        problem = f"the encoding of the database is {request.param}; it must be UTF8"
        yield url.set(database=name).render_as_string(hide_password=False), problem
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def test_a_database_on_postgresql_whose_encoding_is_not_utf8_is_refused(
    encoded: tuple[str, str], databases: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, problem = encoded
    monkeypatch.setenv("DATABASE_URL", url)
    for revision in ("head", REVISIONS[0]):
        assert belongings("migrate", revision).stderr == f"belongings: {problem}\n"
    source = databases.empty("sqlite")
    migrate(parse_url(source))
    assert belongings("copy", "--from", source, "--to", url).stderr == f"belongings: target: {problem}\n"


def test_a_migrated_database_on_postgresql_whose_encoding_is_not_utf8_is_not_ready_but_can_be_copied(
    encoded: tuple[str, str], databases: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, problem = encoded
    monkeypatch.setenv("DATABASE_URL", url)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "check_server", lambda _: None)
        migrate(parse_url(url))
    utf8 = f"{url}?client_encoding=utf8"
    on(utf8, lambda connection: connection.execute(insert(items), {"title": "é", "version": 1, "search_text": "é\n"}))
    store = container_for(url).store()
    for check_store in (store.prepare, store.check):
        with pytest.raises(SchemaMismatch, match=problem):
            check_store()
    store.close()
    assert check()[1][:-1] == [f"schema: {problem}"]
    target = databases.empty("postgresql")
    assert belongings("copy", "--from", url, "--to", target).stdout.startswith("Copied 0 users and 1 items")
    assert on(target, lambda connection: connection.scalar(select(items.c.title))) == "é"


class TestSqlite:
    """What only a file needs."""

    @pytest.fixture(params=["sqlite"])
    def empty_url(self, request: pytest.FixtureRequest, databases: Any) -> str:
        return str(databases.empty(request.param))

    def test_the_file_is_backed_up_before_it_is_changed(self, url: str) -> None:
        on(url, spoil)
        path = Path(str(parse_url(url).database))
        before = dump(path)
        _, (first, *_) = check("--repair")
        (backup,) = path.parent.glob(f"{path.name}-before-repair-*")
        assert first == f"Backed up to {backup}"
        assert backup.stat().st_mode & 0o777 == 0o600
        assert dump(backup) == before != dump(path)
        backup.unlink()

    def test_nothing_is_backed_up_where_nothing_can_be_repaired(self, url: str) -> None:
        on(url, lambda connection: connection.execute(update(items).where(items.c.id == 5).values(title="")))
        assert check("--repair")[1] == [
            "items 5: title must not be blank; not repaired",
            "Findings: 1, of which 0 were repaired",
        ]

    def test_afterwards_it_can_be_backed_up_and_restored(self, url: str) -> None:
        path = Path(str(parse_url(url).database))
        on(url, lambda connection: connection.execute(text("DELETE FROM users WHERE id = 3")))
        refused = belongings("backup", "copy.db")
        assert refused.stderr.endswith("rows refer to others that are not there; to see which, run: belongings check\n")
        assert check("--repair")[0] == 0
        assert belongings("backup", "copy.db").exit_code == 0
        on("sqlite:///copy.db", lambda connection: connection.execute(text("DELETE FROM users WHERE id = 2")))
        command = f"DATABASE_URL=sqlite:///{Path('copy.db').absolute()} belongings check"
        assert belongings("restore", "copy.db").stderr.endswith(f"run: {command}\n")
        assert path.is_file()

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("UPDATE items SET price = 'much' WHERE id = 5", "price has a value of the wrong type"),
            ("UPDATE items SET price = 1.5 WHERE id = 5", "price has a value of the wrong type"),
            ("UPDATE items SET title = x'00ff' WHERE id = 5", "title has a value of the wrong type"),
            ("UPDATE items SET title = CAST(x'c3' AS TEXT) WHERE id = 5", "title must be valid Unicode text"),
            ("UPDATE items SET title = CAST(x'6100' AS TEXT) WHERE id = 5", "title must not contain NUL characters"),
            ("UPDATE items SET owner_id = 'me' WHERE id = 5", "owner_id refers to a row that does not exist"),
            ("UPDATE items SET version = 'new' WHERE id = 5", "version has a value of the wrong type"),
        ],
    )
    def test_a_value_that_no_other_database_would_keep_is_found(self, url: str, statement: str, said: str) -> None:
        on(url, lambda connection: connection.execute(text(statement)))
        assert check()[1][0] == f"items 5: {said}"
        assert check("--repair", "--backed-up")[1][0].startswith(f"items 5: {said}; ")

    def test_a_flag_that_is_neither_yes_nor_no_is_found(self, url: str) -> None:
        on(url, lambda connection: connection.execute(text("UPDATE users SET is_active = 7 WHERE id = 2")))
        assert check()[1][0] == "users 2: is_active has a value of the wrong type"

    def test_what_sqlite_itself_finds_is_said_and_nothing_is_repaired(self, url: str) -> None:
        on(url, spoil)
        path = Path(str(parse_url(url).database))
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode = DELETE")
            (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_items_price_id'").fetchone()
        content = bytearray(path.read_bytes())
        content[(page - 1) * 4096 + 3 : (page - 1) * 4096 + 5] = b"\0\0"  # how many entries the index has
        path.write_bytes(content)
        before = path.read_bytes()
        status, lines = check("--repair")
        assert status == 1
        assert lines[0].startswith("file: ")
        assert lines[0].endswith("(restore a backup)")
        assert path.read_bytes() == before

    def test_a_file_that_is_no_database_or_not_there_is_one_line(self, url: str) -> None:
        path = Path(str(parse_url(url).database))
        path.write_bytes(b"nothing" * 1000)
        assert belongings("check").stderr == "belongings: file is not a database\n"
        path.unlink()
        for options in ([], ["--repair"]):
            assert belongings("check", *options).stderr == "belongings: there is no such file\n"
        assert not list(path.parent.glob(f"{path.name}*"))

    @pytest.mark.skipif(not single_process_reason(), reason="several processes may use the file")
    def test_the_database_of_a_service_that_runs_is_checked_but_not_repaired(self, url: str) -> None:
        on(url, spoil)
        lock = ProcessLock(Path(str(parse_url(url).database)))
        assert check()[1][:-1] == WRONG
        assert belongings("check", "--repair").stderr == "belongings: the database is in use; stop the service first\n"
        lock.release()

    @pytest.mark.parametrize("memory", ["memory://", "sqlite://"])
    def test_memory_cannot_be_checked(self, url: str, monkeypatch: pytest.MonkeyPatch, memory: str) -> None:
        monkeypatch.setenv("DATABASE_URL", memory)
        assert "names a database in memory" in belongings("check").stderr
