"""The schema's history, on every SQL database."""

from hashlib import sha256
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.orm import Session

from adapters.sql.engine.engines import parse_url
from adapters.sql.mapping.removals import mark_removed
from adapters.sql.mapping.schema import REVISIONS, current_revision
from adapters.sql.operations.migrations import config, migrate
from domain.items import Item
from service_layer.errors import SchemaMismatch, SchemaNewer
from tests.conftest import Databases, container_for

ROWS = 5_000


def fill(url: str, rows: int = ROWS) -> None:
    """Add rows to a database at the revision before there was text to search in."""
    people = [{"id": n, "email": f"é{n}@example.com", "key": f"é{n}@example.com"} for n in range(1, rows + 1)]
    things = [
        {"id": n, "title": f"😀 É{n}  ", "about": [None, "", "Straße"][n % 3], "price": n * 7, "owner": n}
        for n in range(1, rows + 1)
    ]
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO users VALUES (:id, :email, :key, 'hash', true, 1)"), people)
        connection.execute(text("INSERT INTO items VALUES (:id, :title, :about, :price, :owner, 3)"), things)
    engine.dispose()


def checksum(url: str) -> tuple[int, str]:
    """How many rows there are, and a digest of what all of them have at every revision, in id order."""
    digest, count = sha256(), 0
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        for rows in (
            "SELECT id, email, email_key, hashed_password, is_active, version FROM users ORDER BY id",
            "SELECT id, title, description, price, owner_id, version FROM items ORDER BY id",
        ):
            for row in connection.execute(text(rows)):
                digest.update(repr(tuple(row)).encode())
                count += 1
    engine.dispose()
    return count, digest.hexdigest()


def wrong_search_texts(url: str) -> int:
    """How many items have another text to search in than the domain would give them."""
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT title, description, search_text FROM items")).all()
    engine.dispose()
    return sum(Item(title=title, description=about).search_text != found for title, about, found in rows)


def test_there_is_one_history_and_the_code_knows_all_of_it() -> None:
    script = ScriptDirectory.from_config(config(parse_url("sqlite://")))
    assert script.get_heads() == [REVISIONS[-1]]
    assert tuple(revision.revision for revision in script.walk_revisions())[::-1] == REVISIONS


def test_the_mapping_and_the_migrations_agree(empty_url: str) -> None:
    url = parse_url(empty_url)
    migrate(url)
    command.check(config(url))  # raises where autogenerate would find something to do


def test_going_up_down_and_up_again_keeps_every_row(empty_url: str) -> None:
    url = parse_url(empty_url)
    assert [step.revision for step in migrate(url, "0002")] == ["0001", "0002"]
    fill(empty_url)
    before = checksum(empty_url)
    assert before[0] == 2 * ROWS
    assert [step.revision for step in migrate(url)] == list(REVISIONS[2:])
    assert wrong_search_texts(empty_url) == 0
    for revision in REVISIONS[-2::-1]:
        assert [step.direction for step in migrate(url, revision)] == ["down"]
        assert checksum(empty_url) == before
    assert [step.direction for step in migrate(url)] == ["up"] * (len(REVISIONS) - 1)
    assert checksum(empty_url) == before
    assert wrong_search_texts(empty_url) == 0


def test_tables_on_mariadb_are_in_innodb_whatever_its_default(databases: Databases) -> None:
    url = parse_url(databases.empty("mariadb"))
    migrate(url.update_query_dict({"init_command": "SET SESSION default_storage_engine = Aria"}))
    engine = create_engine(url)
    with engine.connect() as connection:
        engines = text("SELECT DISTINCT engine FROM information_schema.tables WHERE table_schema = database()")
        assert connection.scalars(engines).all() == ["InnoDB"]
    engine.dispose()


def test_a_table_on_mariadb_that_is_not_in_innodb_is_not_ready(databases: Databases) -> None:
    url = databases.empty("mariadb")
    migrate(parse_url(url))
    store = container_for(url).store()
    store.prepare()
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE idempotency_keys ENGINE = Aria"))
    for check in (store.check, store.prepare):
        with pytest.raises(SchemaMismatch, match="not InnoDB tables: idempotency_keys; copy"):
            check()
    engine.dispose()
    store.close()


def test_base_leaves_nothing_behind(empty_url: str) -> None:
    url = parse_url(empty_url)
    migrate(url)
    migrate(url, "base")
    engine = create_engine(url)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    assert current_revision(engine) is None
    engine.dispose()


@pytest.mark.parametrize("revision", ["base", f"-{len(REVISIONS)}"])
def test_base_is_refused_while_there_are_rows_and_changes_nothing(empty_url: str, revision: str) -> None:
    url = parse_url(empty_url)
    migrate(url, "0002")
    fill(empty_url)
    migrate(url)
    before = checksum(empty_url)
    with pytest.raises(ValueError, match="there is no place for"):
        migrate(url, revision)
    migrate(url)
    assert checksum(empty_url) == before


def test_a_second_run_has_nothing_to_do(empty_url: str) -> None:
    url = parse_url(empty_url)
    migrate(url)
    assert migrate(url) == []
    assert migrate(url, REVISIONS[-1]) == []


def test_steps_can_be_counted(empty_url: str) -> None:
    url = parse_url(empty_url)
    assert [step.revision for step in migrate(url, "+1")] == [REVISIONS[0]]
    assert [step.direction for step in migrate(url, "-1")] == ["down"]


def test_an_unknown_revision_is_refused_and_changes_nothing(empty_url: str) -> None:
    url = parse_url(empty_url)
    migrate(url, REVISIONS[0])
    with pytest.raises(ValueError, match="nonsense"):
        migrate(url, "nonsense")
    engine = create_engine(url)
    assert current_revision(engine) == REVISIONS[0]
    engine.dispose()


def test_a_schema_that_is_behind_is_not_ready_and_says_what_to_do(empty_url: str) -> None:
    store = container_for(empty_url).store()
    with pytest.raises(SchemaMismatch, match="run: belongings migrate"):
        store.check()
    migrate(parse_url(empty_url), REVISIONS[0])
    with pytest.raises(SchemaMismatch, match=f"at revision {REVISIONS[0]}"):
        store.check()
    store.migrate()
    store.check()
    store.close()


def test_only_an_embedded_database_is_migrated_without_being_asked(empty_url: str) -> None:
    store = container_for(empty_url).store()
    if empty_url.startswith("sqlite"):
        store.prepare()
        store.check()
    else:
        with pytest.raises(SchemaMismatch):
            store.prepare()
    store.close()


def test_a_newer_schema_is_left_alone(empty_url: str) -> None:
    url = parse_url(empty_url)
    migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store = container_for(empty_url).store()
    with pytest.raises(SchemaNewer, match="newer than this service"):
        store.prepare()
    assert current_revision(engine) == "9999"
    engine.dispose()
    store.close()


def test_a_store_that_is_in_use_stays_usable_when_a_newer_version_migrates_it(empty_url: str) -> None:
    url = parse_url(empty_url)
    migrate(url, REVISIONS[-2])
    store = container_for(empty_url).store()
    with pytest.raises(SchemaMismatch):
        store.check()
    migrate(url)
    store.check()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.check()
    later = container_for(empty_url).store()
    with pytest.raises(SchemaNewer):
        later.check()
    engine.dispose()
    store.close()
    later.close()


def test_an_installed_package_finds_its_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    location = config(parse_url("sqlite://")).get_main_option("script_location")
    assert (Path(str(location)) / "env.py").is_file()


def test_going_down_deletes_for_good_who_is_removed_and_not_purged_yet(empty_url: str) -> None:
    """The version before would show them again."""
    url = parse_url(empty_url)
    migrate(url, "0002")
    fill(empty_url, 3)
    migrate(url, "0004")
    engine = create_engine(url)
    with Session(engine) as session:
        assert mark_removed(session, 2, 1)
        session.commit()
    migrate(url, "0003")
    with engine.connect() as connection:
        users = connection.scalars(text("SELECT id FROM users ORDER BY id")).all()
        items = connection.scalars(text("SELECT owner_id FROM items ORDER BY id")).all()
    engine.dispose()
    assert (users, items) == ([1, 3], [1, 3])
