"""Who may read the files that keep the data: this user alone."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.sql.engine.engines import parse_url
from adapters.sql.operations.backup import back_up, restore
from adapters.sql.operations.migrations import migrate
from tests.conftest import container_for
from tests.contract.stored import stored_item


@pytest.fixture(autouse=True)
def generous() -> Iterator[None]:
    """Let everybody read and write the files of this process, as far as it lets them."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_a_service_makes_its_files_for_this_user_only(tmp_path: Path) -> None:
    container = container_for(f"sqlite:///{tmp_path}/a.db")
    with closing(container.store()) as store:
        store.prepare()
        stored_item(container.unit_of_work)
        found = modes(tmp_path)
    assert {"a.db", "a.db-wal", "a.db-shm"} <= found.keys()
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize("revision", ["head", "0001"])
def test_a_migration_makes_the_file_for_this_user_only(tmp_path: Path, revision: str) -> None:
    migrate(parse_url(f"sqlite:///{tmp_path}/a.db"), revision)
    assert modes(tmp_path) == {"a.db": 0o600}


def test_backups_and_what_is_restored_are_for_this_user_only(tmp_path: Path) -> None:
    database, copy = tmp_path / "a.db", tmp_path / "copy.db"
    migrate(parse_url(f"sqlite:///{database}"))
    back_up(database, copy, lambda *_: None, overwrite=False)
    database.unlink()
    restore(copy, database, lambda *_: None)
    assert modes(tmp_path) == {"a.db": 0o600, "copy.db": 0o600}


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch(0o640)
    container = container_for(f"sqlite:///{tmp_path}/a.db")
    with closing(container.store()) as store:
        store.prepare()
        stored_item(container.unit_of_work)
        found = modes(tmp_path)
    found.pop("a.db-process", None)  # it is there for some versions of SQLite
    assert set(found.values()) == {0o640}


def test_what_a_link_leads_to_is_made_for_this_user_only(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
    migrate(parse_url(f"sqlite:///{tmp_path}/link.db"))
    assert modes(tmp_path) == {"a.db": 0o600, "link.db": 0o600}
