"""Where settings come from, and what is said about a wrong one."""

import os
from pathlib import Path

import pytest

from entrypoints.server.listening import check_tls
from entrypoints.settings import PREFIX, WrongSetting, load_settings, variable


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with no ``.env`` in it and no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith((PREFIX, "DATABASE_URL")):
            monkeypatch.delenv(name)
    return tmp_path


def test_everything_has_a_default() -> None:
    settings = load_settings()
    assert settings.database_url.get_secret_value() == "sqlite:///belongings.db"
    assert (settings.host, settings.port, settings.workers, settings.threads) == ("127.0.0.1", 8000, 1, 4)
    assert (settings.pool_wait, settings.connect_wait, settings.statement_wait) == (3.0, 3, 4)
    assert (settings.deadline, settings.queue) == (5.0, 1000)
    assert (settings.scan_threads, settings.scan_wait) == (1, 2.0)
    assert (settings.connections, settings.requests) == (800, 500)
    assert (settings.head_wait, settings.body_wait) == (10.0, 30.0)
    assert (settings.sign_up_limit, settings.redis_url) == (None, None)
    assert settings.password_min_length == 1


def test_the_environment_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "memory://")
    monkeypatch.setenv("BELONGINGS_PORT", "9000")
    monkeypatch.setenv("BELONGINGS_POOL_WAIT", "0.5")
    settings = load_settings()
    assert settings.database_url.get_secret_value() == "memory://"
    assert (settings.port, settings.pool_wait) == (9000, 0.5)


def test_a_file_sets_what_the_environment_does_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("DATABASE_URL=memory://\nbelongings_port=9000\nBELONGINGS_THREADS=2\nOTHER=1\n")
    monkeypatch.setenv("BELONGINGS_PORT", "9001")
    settings = load_settings()
    assert settings.database_url.get_secret_value() == "memory://"
    assert (settings.port, settings.threads) == (9001, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BELONGINGS_PORT", "hunter2"),
        ("BELONGINGS_PORT", ""),
        ("BELONGINGS_PORT", "65536"),
        ("BELONGINGS_PORT", "-1"),
        ("BELONGINGS_WORKERS", "0"),
        ("BELONGINGS_THREADS", "65"),
        ("BELONGINGS_DEADLINE", "0"),
        ("BELONGINGS_DEADLINE", "60.5"),
        ("BELONGINGS_QUEUE", "0"),
        ("BELONGINGS_POOL_WAIT", "0"),
        ("BELONGINGS_POOL_WAIT", "61.5"),
        ("BELONGINGS_CONNECT_WAIT", "0"),
        ("BELONGINGS_STATEMENT_WAIT", "1.75"),
        ("BELONGINGS_PASSWORD_MIN_LENGTH", "0"),
        ("BELONGINGS_PASSWORD_MIN_LENGTH", "129"),
    ],
)
@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_wrong_value_is_named_and_not_repeated(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str, name: str, value: str
) -> None:
    if place == "file":
        (folder / ".env").write_text(f"{name}={value}\n")
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSetting) as wrong:
        load_settings()
    message = str(wrong.value)
    assert message.startswith(f"{name}: Input should be ")
    assert "\n" not in message
    assert len(value) < 2 or value not in message  # one digit may well be a bound


@pytest.mark.parametrize(
    "statement",
    ['BELONGINGS_PORT="9003', "BELONGINGS_PORT='9003", 'DATABASE_URL="hunter2" x', "BELONGINGS_PORT 9003", "=9003"],
)
def test_a_line_of_the_file_that_cannot_be_parsed_is_named_and_not_repeated(folder: Path, statement: str) -> None:
    (folder / ".env").write_text(f"# the port\nBELONGINGS_THREADS=2\n\n  {statement}\nOTHER=1\n")
    with pytest.raises(WrongSetting) as wrong:
        load_settings()
    assert str(wrong.value) == ".env, line 4: not a name and a value; is a quote missing?"


def test_a_folder_of_that_name_is_ignored(folder: Path) -> None:
    (folder / ".env").mkdir()
    assert load_settings().port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BELONGINGS_TRUSTED_PROXIES", "hunter2"),
        ("BELONGINGS_TRUSTED_PROXIES", "*"),
        ("BELONGINGS_TRUSTED_PROXIES", "10.0.0.1, 10.0.0.1/8"),
        ("BELONGINGS_ROOT_PATH", "hunter2"),
        ("BELONGINGS_ROOT_PATH", "/hunter2/"),
        ("BELONGINGS_ROOT_PATH", "//hunter2.example"),
        ("BELONGINGS_ROOT_PATH", "/../hunter2"),
        ("BELONGINGS_ROOT_PATH", "/hunter2/."),
        ("BELONGINGS_CORS_ORIGINS", "hunter2"),
        ("BELONGINGS_CORS_ORIGINS", "https://hunter2.example:443"),
        ("BELONGINGS_CORS_ORIGINS", "http://hunter2.example:80"),
        ("BELONGINGS_CORS_ORIGINS", "https://a.example https://hunter2.example/"),
        ("BELONGINGS_CORS_ORIGINS", "https://*.example"),
        ("BELONGINGS_HOSTS", "https://hunter2.example"),
        ("BELONGINGS_HOSTS", "hunter2.example:8000"),
        ("BELONGINGS_HOSTS", "*.hunter2.example"),
    ],
)
def test_what_is_no_address_no_path_and_no_origin_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongSetting) as wrong:
        load_settings()
    message = str(wrong.value)
    assert message.startswith(f"{name}: ")
    assert "\n" not in message
    assert "hunter2" not in message


def test_several_addresses_and_origins_are_written_with_commas_or_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELONGINGS_TRUSTED_PROXIES", "10.0.0.1,192.168.0.0/16, ::1")
    monkeypatch.setenv("BELONGINGS_CORS_ORIGINS", "https://A.example http://localhost:3000")
    monkeypatch.setenv("BELONGINGS_HOSTS", "API.example.com,belongings")
    settings = load_settings()
    assert [str(each) for each in settings.trusted_proxies or ()] == ["10.0.0.1/32", "192.168.0.0/16", "::1/128"]
    assert settings.cors_origins == ("https://a.example", "http://localhost:3000")
    assert settings.hosts == ("api.example.com", "belongings")


def test_what_is_set_to_nothing_trusts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRUSTED_PROXIES", "ROOT_PATH", "HOSTS", "CORS_ORIGINS", "TLS_KEY"):
        monkeypatch.setenv(f"{PREFIX}{name}", "")
    settings = load_settings()
    assert not any((settings.trusted_proxies, settings.root_path, settings.hosts, settings.cors_origins))
    assert check_tls(settings) == "http"


def test_a_certificate_that_is_set_to_nothing_does_not_turn_tls_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELONGINGS_TLS_CERTIFICATE", "")
    with pytest.raises(WrongSetting, match="BELONGINGS_TLS_CERTIFICATE: String should have at least 1 character"):
        load_settings()


def test_a_segment_of_the_root_path_can_begin_with_a_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELONGINGS_ROOT_PATH", "/.a/b.c/..d")
    assert load_settings().root_path == "/.a/b.c/..d"


@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_setting_that_does_not_exist_is_named_and_its_value_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == "file":
        (folder / ".env").write_text("BELONGINGS_PROT=hunter2\n")
    else:
        monkeypatch.setenv("BELONGINGS_PROT", "hunter2")
    with pytest.raises(WrongSetting) as wrong:
        load_settings()
    assert str(wrong.value) == "BELONGINGS_PROT is not a setting; see: belongings settings"


def test_the_address_of_the_database_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://rick:hunter2@localhost/belongings")
    settings = load_settings()
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "hunter2" not in shown


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1


def test_only_the_database_has_a_variable_without_our_prefix() -> None:
    assert variable("database_url") == "DATABASE_URL"
    assert variable("pool_wait") == "BELONGINGS_POOL_WAIT"
