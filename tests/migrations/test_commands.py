"""The ``alembic`` command, as its own users know it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest
from alembic import command
from sqlalchemy import NullPool, create_engine, text

from adapters.sql.engine.engines import parse_url
from adapters.sql.mapping.schema import REVISIONS, current_revision
from adapters.sql.operations.migrations import config
from tests.conftest import Databases

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the command needs, so that it can write revisions."""
    for folder in ("alembic", "adapters", "domain", "entrypoints", "service_layer"):
        copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "alembic.ini").write_bytes((ROOT / "alembic.ini").read_bytes())
    return tmp_path


def alembic(folder: Path, url: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "alembic", *arguments]
    environment = os.environ | {"DATABASE_URL": url}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_upgrade_current_and_downgrade_work(checkout: Path) -> None:
    url = f"sqlite:///{checkout}/a.db"
    alembic(checkout, url, "upgrade", "head")
    assert "(head)" in alembic(checkout, url, "current")
    alembic(checkout, url, "downgrade", "base")
    assert alembic(checkout, url, "current") == ""


def test_autogenerate_writes_a_revision_that_runs(checkout: Path) -> None:
    tables = checkout / "adapters" / "sql" / "mapping" / "tables.py"
    tables.write_text(
        tables.read_text() + "\nTable('tags', metadata, Column('name', ExactString(20), primary_key=True))\n"
    )
    url = f"sqlite:///{checkout}/a.db"
    alembic(checkout, url, "upgrade", "head")
    alembic(checkout, url, "revision", "--autogenerate", "-m", "tags", "--rev-id", "9999")
    written = (checkout / "alembic" / "versions" / "9999_tags.py").read_text()
    assert "types.ExactString(length=20)" in written
    assert written.count("op.create_table(") == 1
    assert "items" not in written  # what is there already is not found again
    alembic(checkout, url, "upgrade", "head")
    assert "9999 (head)" in alembic(checkout, url, "current")


@pytest.mark.parametrize("scheme", ["sqlite:///a.db", "postgresql://nobody@localhost/none"])
def test_a_script_can_be_made_without_a_database(checkout: Path, scheme: str) -> None:
    assert "CREATE TABLE IF NOT EXISTS users" in alembic(checkout, scheme, "upgrade", "head", "--sql")


def test_a_script_for_mariadb_makes_what_a_migration_makes(checkout: Path, databases: Databases) -> None:
    url = parse_url(databases.empty("mariadb"))
    script = alembic(
        checkout, url.set(drivername="mariadb").render_as_string(hide_password=False), "upgrade", "head", "--sql"
    )
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in filter(str.strip, re.sub("^--.*", "", script, flags=re.MULTILINE).split(";")):
            connection.exec_driver_sql(statement)
    assert current_revision(engine) == REVISIONS[-1]
    command.check(config(url))  # raises where autogenerate would find something to do
    with engine.connect() as connection:
        collations = "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = database()"
        mine = text(f"{collations} AND table_name <> 'alembic_version' AND collation_name IS NOT NULL")
        assert connection.scalars(mine).all() == ["utf8mb4_nopad_bin"]


def test_a_script_for_mysql_has_its_collation_and_storage_engine(checkout: Path) -> None:
    script = alembic(checkout, "mysql://nobody@localhost/none", "upgrade", "head", "--sql")
    assert set(re.findall(r"COLLATE (\w+)", script)) == {"utf8mb4_0900_bin"}
    assert script.index("SET SESSION default_storage_engine = InnoDB") < script.index("CREATE TABLE")


def test_no_script_is_made_that_would_leave_items_without_text_to_search_in(checkout: Path) -> None:
    with pytest.raises(AssertionError, match="a script cannot fill"):
        alembic(checkout, "sqlite:///a.db", "upgrade", "0002:0003", "--sql")
