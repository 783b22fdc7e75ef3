"""``belongings migrate`` and ``belongings settings``."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from adapters.sql.mapping.schema import REVISIONS
from entrypoints.cli import app
from entrypoints.settings import Settings, variable


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)


def belongings(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def test_migrate_says_what_it_did(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_url)
    up = belongings("migrate")
    assert up.exit_code == 0
    assert [line.split()[:2] for line in up.stdout.splitlines()[:-1]] == [["up", revision] for revision in REVISIONS]
    assert belongings("migrate").stdout.startswith("Nothing to migrate")
    down = belongings("migrate", REVISIONS[0])
    assert down.stdout.splitlines()[0].startswith(f"down {REVISIONS[-1]}")
    assert belongings("migrate", "--", "-1").stdout.startswith(f"down {REVISIONS[0]}")
    assert belongings("migrate", "base").stdout.startswith("Nothing to migrate")


def test_migrate_refuses_what_it_does_not_know() -> None:
    result = belongings("migrate", "nonsense")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_migrate_says_why_it_cannot_reach_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres:secret@127.0.0.1:1/none")
    result = belongings("migrate")
    assert result.exit_code == 1
    assert "refused" in result.stderr
    assert "secret" not in result.stderr


@pytest.mark.parametrize("option", ["connect_timeout=abc", "ssl_ca=/no/such/file", "nonsense=1"])
def test_migrate_says_what_is_wrong_with_an_option_of_the_url(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"mysql://root:secret@127.0.0.1:1/none?{option}")
    result = belongings("migrate")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), result.exception
    assert "secret" not in result.stderr


def test_settings_lists_every_setting_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@db.example.com/name?password=secret")
    monkeypatch.setenv("BELONGINGS_PORT", "8123")
    result = belongings("settings")
    assert result.exit_code == 0
    assert all(variable(field) in result.stdout for field in Settings.model_fields)
    assert "DATABASE_URL=postgresql://me:***@db.example.com/name  (default: sqlite:///belongings.db)" in result.stdout
    assert "BELONGINGS_PORT=8123  (default: 8000)" in result.stdout
    assert "secret" not in result.stdout


def test_help_names_every_command() -> None:
    assert all(command in belongings("--help").stdout for command in ("serve", "migrate", "copy", "settings"))
