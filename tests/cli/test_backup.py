"""``belongings backup`` and ``belongings restore``."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from shutil import copyfile

import pytest
from typer.testing import CliRunner, Result

from adapters.sql.engine.engines import parse_url
from adapters.sql.engine.process_lock import ProcessLock
from adapters.sql.mapping.schema import REVISIONS
from adapters.sql.operations.backup import back_up, restore
from adapters.sql.operations.migrations import migrate
from entrypoints.cli import app
from service_layer.operations import OperationFailed

ITEMS = 3_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with nothing in it but a database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    migrate(parse_url("sqlite:///belongings.db"))
    with closing(connect(Path("belongings.db"))) as database:
        database.execute("BEGIN")
        database.execute("INSERT INTO users VALUES (1, 'a@example.com', 'a@example.com', 'hash', 1, 1)")
        for n in range(ITEMS):
            add_item(database, f"{n}" * 100)
        database.execute("COMMIT")
    return tmp_path


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def add_item(database: sqlite3.Connection, title: str = "Towel") -> None:
    database.execute("INSERT INTO items (title, owner_id, version, search_text) VALUES (?, 1, 1, '')", (title,))


def count(path: Path | str) -> int:
    """How many items there are."""
    with closing(connect(Path(path))) as database:
        return int(database.execute("SELECT count(*) FROM items").fetchone()[0])


def change(path: Path | str, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(statement)


def belongings(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def everything() -> dict[str, tuple[bytes, int]]:
    """What is in the folder, but for what SQLite shares among processes."""
    files = [path for path in Path().iterdir() if not path.name.endswith("-shm")]
    return {path.name: (path.read_bytes(), path.stat().st_mode) for path in files}


def refused(*arguments: str) -> str:
    """What is said in one line, after which everything is as it was."""
    before = everything()
    result = belongings(*arguments)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), result.exception
    assert everything() == before
    return result.stderr


def test_a_backup_holds_everything_and_can_be_restored(folder: Path) -> None:
    backup = belongings("backup", "copy.db")
    held = f"1 users and {ITEMS} items at revision {REVISIONS[-1]}"
    assert backup.stdout == f"Backed up {held}; the copy is sound\n"
    assert {path.name for path in folder.iterdir()} == {"belongings.db", "copy.db"}
    assert Path("copy.db").stat().st_mode & 0o777 == 0o600
    change("belongings.db", "DELETE FROM items")
    restored = belongings("restore", "copy.db")
    assert restored.stdout.startswith(f"Restored {held}; the former database is now belongings.db-before-")
    assert count("belongings.db") == ITEMS
    (aside,) = folder.glob("belongings.db-before-*")
    assert count(aside) == 0
    assert count("copy.db") == ITEMS


def test_a_backup_of_a_user_who_is_removed_does_not_show_them_again() -> None:
    change("belongings.db", "INSERT INTO removed_users VALUES (1)")
    assert belongings("backup", "copy.db").stdout.startswith("Backed up 0 users and 0 items at revision")
    assert belongings("restore", "copy.db").stdout.startswith("Restored 0 users and 0 items at revision")
    with closing(connect(Path("belongings.db"))) as database:
        assert database.execute("SELECT user_id FROM removed_users").fetchall() == [(1,)]


def test_a_database_that_was_lost_can_be_restored(folder: Path) -> None:
    belongings("backup", "copy.db")
    Path("belongings.db").unlink()
    assert belongings("restore", "copy.db").exit_code == 0
    assert count("belongings.db") == ITEMS
    assert {path.name for path in folder.iterdir()} == {"belongings.db", "copy.db"}


def test_a_backup_shows_one_moment_while_others_write(folder: Path) -> None:
    steps = []

    def write(step: str, done: int, total: int) -> None:
        steps.append((step, done, total))
        if len(steps) <= 3:
            add_item(writer)

    with closing(connect(folder / "belongings.db")) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        assert back_up(folder / "belongings.db", folder / "copy.db", write, overwrite=False).rows["items"] == ITEMS
    assert (count("copy.db"), count("belongings.db")) == (ITEMS, ITEMS + 3)
    copied = [done for step, done, _ in steps if step == "copying"]
    assert len(copied) >= 2
    assert copied == sorted(copied)  # it did not begin anew
    assert steps[-1] == ("checking", 1, 1)


@pytest.mark.parametrize("step", ["copying", "checking"])
def test_a_run_that_is_broken_off_leaves_nothing(folder: Path, step: str) -> None:
    def break_off(now: str, *_: int) -> None:
        if now == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(folder / "belongings.db", folder / "copy.db", break_off, overwrite=False)
    assert [path.name for path in folder.iterdir()] == ["belongings.db"]
    belongings("backup", "copy.db")
    with pytest.raises(KeyboardInterrupt):
        restore(folder / "copy.db", folder / "belongings.db", break_off)
    assert {path.name for path in folder.iterdir()} == {"belongings.db", "copy.db"}


def test_a_backup_overwrites_nothing_unless_it_is_told_to() -> None:
    Path("copy.db").write_text("something else")
    assert "copy.db already exists; --force overwrites it" in refused("backup", "copy.db")
    assert belongings("backup", "--force", "copy.db").exit_code == 0
    assert count("copy.db") == ITEMS
    assert "is the database itself" in refused("backup", "--force", "belongings.db")


@pytest.mark.parametrize("part", ["wal", "shm", "journal", "process"])
def test_a_file_that_belongs_to_the_database_is_not_overwritten(folder: Path, part: str) -> None:
    for target in (f"belongings.db-{part}", f"../{folder.name}/belongings.db-{part}"):
        assert "is a file that belongs to the database" in refused("backup", target)
    with closing(connect(Path("belongings.db"))) as service:
        service.execute("PRAGMA journal_mode = WAL")
        add_item(service)
        assert "belongs to the database" in refused("backup", "--force", f"belongings.db-{part}")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_regular_file_is_neither_replaced_nor_read(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[str], None]
) -> None:
    belongings("backup", "copy.db")
    make("special")
    before = Path("special").stat()
    results = [belongings("backup", "--force", "special"), belongings("restore", "special")]
    monkeypatch.setenv("DATABASE_URL", "sqlite:///special")
    results += [belongings("backup", "new.db"), belongings("restore", "copy.db")]
    assert [each.stderr for each in results] == ["belongings: special is not a regular file\n"] * 4
    assert Path("special").stat() == before


def test_a_file_that_came_meanwhile_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(OperationFailed, match="File exists"):
        back_up(
            folder / "belongings.db",
            folder / "copy.db",
            lambda *_: Path("copy.db").write_text("something else"),
            overwrite=False,
        )
    assert Path("copy.db").read_text() == "something else"


def test_what_lies_beside_a_file_is_not_taken_for_a_part_of_it() -> None:
    belongings("backup", "copy.db")
    Path("new.db-wal").write_bytes(b"log")
    assert "new.db-wal exists" in refused("backup", "new.db")
    Path("belongings.db").unlink()
    Path("belongings.db-wal").write_bytes(b"log")
    assert "belongings.db-wal exists" in refused("restore", "copy.db")


def spoil(name: str) -> Callable[[Path], object]:
    def foreign(path: Path) -> None:
        path.unlink()
        change(path, "CREATE TABLE users (id)")

    def overwritten(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[8192:40_000] = bytes(40_000 - 8192)
        path.write_bytes(content)

    return {
        "no database": lambda path: path.write_bytes(b"nothing" * 1000),
        "empty": lambda path: path.write_bytes(b""),
        "cut off": lambda path: path.write_bytes(path.read_bytes()[:-100_000]),
        "overwritten": overwritten,
        "foreign": foreign,
        "newer": lambda path: change(path, "UPDATE alembic_version SET version_num = '9999'"),
        "incoherent": lambda path: change(path, "DELETE FROM users"),
        "missing": Path.unlink,
    }[name]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no database", "file is not a database"),
        ("empty", "it is not a database of this service"),
        ("cut off", "malformed"),
        ("overwritten", "malformed|damaged"),
        ("foreign", "it is not a database of this service"),
        ("newer", "it is at revision 9999, which is newer than this service"),
        ("incoherent", "it is damaged: rows refer to others that are not there"),
        ("missing", "there is no such file"),
    ],
)
def test_what_is_no_sound_backup_is_not_restored(how: str, said: str) -> None:
    belongings("backup", "copy.db")
    spoil(how)(Path("copy.db"))
    line = refused("restore", "copy.db")
    assert any(each in line for each in said.split("|")), line


ENDLESS = "WITH RECURSIVE n (user_id) AS (SELECT 1 UNION ALL SELECT user_id + 1 FROM n) SELECT user_id FROM n"
OTHER_SCHEMAS = {
    "CREATE TRIGGER evil AFTER INSERT ON items BEGIN DELETE FROM users; END": "trigger 'evil'",
    "ALTER TABLE items RENAME TO other; CREATE VIEW items AS SELECT * FROM other": "view 'items'",
    f"DROP TABLE removed_users; CREATE VIEW removed_users AS {ENDLESS}": "view 'removed_users'",
    f"DROP TABLE alembic_version; CREATE VIEW alembic_version AS {ENDLESS}": "view 'alembic_version'",
    "DROP INDEX ix_items_price_id": "index 'ix_items_price_id'",
    "CREATE UNIQUE INDEX one ON items (title)": "index 'one'",
    "CREATE TABLE more (id)": "table 'more'",
    "ALTER TABLE items ADD COLUMN colour TEXT": "table 'items'",
    "DROP TABLE removed_users; CREATE TABLE removed_users (user_id INTEGER NOT NULL PRIMARY KEY)": "'removed_users'",
}


@pytest.mark.parametrize("statements", OTHER_SCHEMAS)
def test_a_file_with_another_schema_is_not_restored_copied_or_sound(
    monkeypatch: pytest.MonkeyPatch, statements: str
) -> None:
    belongings("backup", "copy.db")
    with closing(sqlite3.connect("copy.db")) as database:
        database.executescript(statements)
    said = OTHER_SCHEMAS[statements]
    assert said in refused("restore", "copy.db")
    assert said in refused("copy", "--from", "sqlite:///copy.db", "--to", "sqlite:///new.db")
    assert said in refused("copy", "--from", "sqlite:///belongings.db", "--to", "sqlite:///copy.db")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///copy.db")
    found = belongings("check")
    assert found.exit_code == 1
    assert said in found.stdout.splitlines()[0]


def test_a_file_with_an_index_of_the_operators_own_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    change("belongings.db", "CREATE INDEX own_items_description ON items (description)")
    change("belongings.db", "ANALYZE")
    assert belongings("backup", "copy.db").exit_code == 0
    assert belongings("restore", "copy.db").exit_code == 0
    assert belongings("copy", "--from", "sqlite:///copy.db", "--to", "sqlite:///new.db").exit_code == 0
    monkeypatch.setenv("DATABASE_URL", "sqlite:///copy.db")
    assert "schema" not in belongings("check").stdout


def test_a_damaged_database_is_not_backed_up_and_can_be_replaced(folder: Path) -> None:
    belongings("backup", "copy.db")
    spoil("no database")(Path("belongings.db"))
    assert "file is not a database" in refused("backup", "other.db")
    assert belongings("restore", "copy.db").exit_code == 0
    assert count("belongings.db") == ITEMS
    (aside,) = folder.glob("belongings.db-before-*")
    assert aside.read_bytes().startswith(b"nothing")


def test_the_log_of_a_database_that_crashed_stays_with_it(folder: Path) -> None:
    belongings("backup", "copy.db")
    with closing(connect(Path("belongings.db"))) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        add_item(writer)
        for name in ("belongings.db", "belongings.db-wal"):
            copyfile(name, name.replace("belongings", "crashed"))
    for name in ("belongings.db", "belongings.db-wal"):
        Path(name.replace("belongings", "crashed")).replace(name)
    assert belongings("restore", "copy.db").exit_code == 0
    assert count("belongings.db") == ITEMS
    (aside,) = folder.glob("belongings.db-before-*")
    assert count(aside) == ITEMS + 1


def test_a_database_in_use_is_not_replaced() -> None:
    belongings("backup", "copy.db")
    with closing(connect(Path("belongings.db"))) as other:
        other.execute("PRAGMA journal_mode = WAL")
        add_item(other)
        assert "the database is in use; stop the service first" in refused("restore", "copy.db")
    assert count("belongings.db") == ITEMS + 1


def test_a_database_of_a_service_that_runs_is_not_replaced() -> None:
    belongings("backup", "copy.db")
    lock = ProcessLock(Path("belongings.db"))
    assert "the database is in use; stop the service first" in refused("restore", "copy.db")
    lock.release()


def test_a_database_that_is_to_be_migrated_can_be_backed_up_before() -> None:
    belongings("migrate", "--", "-1")
    assert f"at revision {REVISIONS[-2]};" in belongings("backup", "copy.db").stdout
    belongings("migrate")
    assert f"at revision {REVISIONS[-2]};" in belongings("restore", "copy.db").stdout


@pytest.mark.parametrize("command", ["backup", "restore"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:secret@127.0.0.1:1/name", "pg_dump"),
        ("mariadb://me:secret@127.0.0.1:1/name", "mariadb-dump"),
        ("memory://", "in memory"),
        ("sqlite://", "in memory"),
    ],
)
def test_whoever_has_no_file_is_told_what_to_use(
    monkeypatch: pytest.MonkeyPatch, command: str, url: str, said: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    line = refused(command, "copy.db")
    assert said in line
    assert "secret" not in line


@pytest.mark.parametrize("arguments", [("backup", "no/such/copy.db"), ("restore", "no/such/copy.db")])
def test_a_folder_that_does_not_exist_is_one_clear_line(arguments: tuple[str, str]) -> None:
    assert "o such file" in refused(*arguments)


def test_a_database_that_does_not_exist_is_not_backed_up() -> None:
    Path("belongings.db").unlink()
    assert "belongings.db: there is no such file" in refused("backup", "copy.db")
