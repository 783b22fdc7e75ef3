"""How the address of a database is read."""

import pytest

from adapters.sql.engine.engines import is_in_memory, parse_url


@pytest.mark.parametrize(
    ("written", "driver"),
    [
        ("postgresql://rick:hunter2@db.example:5433/belongings", "postgresql+psycopg"),
        ("postgres://rick:hunter2@db.example:5433/belongings", "postgresql+psycopg"),
        ("postgresql+psycopg2://rick:hunter2@db.example:5433/belongings", "postgresql+psycopg"),
        ("mysql://rick:hunter2@db.example:5433/belongings", "mysql+pymysql"),
        ("mariadb://rick:hunter2@db.example:5433/belongings", "mysql+pymysql"),
        ("mysql+mysqldb://rick:hunter2@db.example:5433/belongings", "mysql+pymysql"),
    ],
)
def test_a_server_is_reached_by_the_driver_that_is_installed(written: str, driver: str) -> None:
    url = parse_url(written)
    assert url.render_as_string(hide_password=False) == f"{driver}://rick:hunter2@db.example:5433/belongings"


@pytest.mark.parametrize(
    ("written", "database"),
    [
        ("sqlite:///belongings.db", "belongings.db"),
        ("sqlite:////var/lib/belongings.db", "/var/lib/belongings.db"),
        ("sqlite+aiosqlite:///belongings.db", "belongings.db"),
        ("sqlite://", None),
        ("sqlite:///:memory:", ":memory:"),
    ],
)
def test_a_file_is_opened_by_pythons_own_sqlite(written: str, database: str | None) -> None:
    url = parse_url(written)
    assert (url.drivername, url.database) == ("sqlite", database)


def test_options_stay() -> None:
    url = parse_url("postgresql://localhost/belongings?sslmode=verify-full&target_session_attrs=any")
    assert url.query == {"sslmode": "verify-full", "target_session_attrs": "any"}


def test_a_password_with_signs_of_its_own_is_read_back() -> None:
    assert parse_url("mysql://rick:p%40ss%2Fword@localhost/belongings").password == "p@ss/word"


NOT_A_URL = "is not a database URL, such as postgresql://user:password@host/name"
NO_SUCH_KIND = "must begin with sqlite://, postgresql://, mysql://, mariadb:// or memory://"
TOO_MANY = "has an @ too many: write %40 for one in a user name, a password or an option, and %2F for a /"
NO_NAME = "must end with the name of a database, such as postgresql://user:password@host/name"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", NOT_A_URL),
        ("hunter2", NOT_A_URL),
        ("postgresql:hunter2@localhost", NOT_A_URL),
        ("postgresql://rick:hunter2@localhost:port/belongings", NOT_A_URL),
        ("oracle://rick:hunter2@localhost/belongings", NO_SUCH_KIND),
        ("hunter2://localhost/belongings", NO_SUCH_KIND),
        ("postgresql://rick:hunter2@localhost", NO_NAME),
        ("mysql://rick:hunter2@localhost/", NO_NAME),
        ("postgresql://rick:p@hunter2@localhost/belongings", TOO_MANY),
        ("postgresql://rick:p@hunter2/x@localhost/belongings", TOO_MANY),
        ("mysql://rick:p@h/hunter2?x@localhost/belongings", TOO_MANY),
        ("mysql://ri/ck:hunter2@localhost/belongings", TOO_MANY),
        ("mariadb://rick@hunter2:p@localhost/belongings", TOO_MANY),
        ("postgresql://localhost/belongings?password=p@hunter2", TOO_MANY),
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_repeating_it(written: str, message: str) -> None:
    with pytest.raises(ValueError) as wrong:
        parse_url(written)
    assert str(wrong.value) == message


UNSUPPORTED = "has an option that its driver does not support"
UNUSABLE_FILE = "has an option with a file that its driver cannot use"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("postgresql://localhost/belongings?hunter2=x", UNSUPPORTED),
        ("postgresql://localhost/belongings?connect_timeout=hunter2", UNSUPPORTED),
        ("postgresql://localhost/belongings?prepare_threshold=1", UNSUPPORTED),
        ("postgresql://localhost/belongings?plugin=hunter2", UNSUPPORTED),
        ("mysql://localhost/belongings?hunter2=x", UNSUPPORTED),
        ("mysql://localhost/belongings?connect_timeout=hunter2", UNSUPPORTED),
        ("mysql://localhost/belongings?charset=hunter2", UNSUPPORTED),
        ("mysql://localhost/belongings?compress=1", UNSUPPORTED),
        ("mysql://localhost/belongings?port=3306", UNSUPPORTED),
        ("mysql://localhost/belongings?cursorclass=hunter2", UNSUPPORTED),
        ("mysql://localhost/belongings?ssl_ca=/hunter2.pem", UNUSABLE_FILE),
        ("sqlite:///belongings.db?hunter2=x", UNSUPPORTED),
        ("sqlite:///belongings.db?timeout=hunter2", UNSUPPORTED),
        ("sqlite://hunter2/belongings.db", UNSUPPORTED),
    ],
)
def test_an_option_that_no_connection_could_have_is_refused_without_repeating_it(written: str, message: str) -> None:
    with pytest.raises(ValueError) as wrong:
        parse_url(written)
    assert str(wrong.value) == message


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://rick:hunter2@/belongings?host=/tmp&connect_timeout=2&options=-c%20work_mem=64kB",
        "postgresql://localhost/belongings?sslmode=verify-full&sslrootcert=/missing.pem",
        "mysql://rick:hunter2@localhost/belongings?unix_socket=/tmp/a.sock&connect_timeout=2&read_timeout=3",
        "mysql://localhost/belongings?charset=utf8mb4&ssl_check_hostname=false&ssl_verify_cert=true",
        "sqlite:///belongings.db?timeout=3",
    ],
)
def test_options_of_the_driver_are_accepted(written: str) -> None:
    assert parse_url(written).query


@pytest.mark.parametrize(
    ("written", "private"),
    [
        ("sqlite://", True),
        ("sqlite:///:memory:", True),
        ("sqlite:///belongings.db", False),
        ("postgresql://localhost/belongings", False),
    ],
)
def test_only_sqlites_memory_ends_with_the_process(written: str, private: bool) -> None:
    assert is_in_memory(parse_url(written)) == private
