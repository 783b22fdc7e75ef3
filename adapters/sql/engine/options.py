"""A check of the options of a database URL, before anything connects."""

from configparser import Error as ConfigError
from typing import Any
from warnings import catch_warnings

from sqlalchemy import URL, NullPool, create_engine
from sqlalchemy.exc import ArgumentError, SAWarning

_NOT_TEXT = ("auth_plugin_map", "conv", "cursorclass", "defer_connect", "max_allowed_packet")
"""Arguments of PyMySQL that accept what a URL cannot contain."""


def check_options(url: URL) -> None:
    """Have the driver check the options, which it would otherwise do for each connection.

    :raises ValueError: an option is unknown or its value cannot be used. The message contains neither.
    """
    try:
        with catch_warnings(category=SAWarning, action="error"):  # all that SQLAlchemy says of SQLite's unknown options
            _, arguments = create_engine(url, poolclass=NullPool).dialect.create_connect_args(url)
        int(arguments.get("connect_timeout", 0))
        if url.get_backend_name() == "postgresql":
            arguments.pop("context", None)  # SQLAlchemy's, not the URL's
            _check_psycopg(dict(arguments))
        elif url.get_backend_name() == "mysql":
            _check_pymysql(dict(arguments))
    except OSError:
        raise ValueError("has an option with a file that its driver cannot use") from None
    except (ArgumentError, AttributeError, ConfigError, NotImplementedError, SAWarning, TypeError, ValueError):
        raise ValueError("has an option that its driver does not support") from None


def _check_psycopg(arguments: dict[str, Any]) -> None:
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    try:
        make_conninfo(**arguments)
    except ProgrammingError as error:
        raise ValueError from error


def _check_pymysql(arguments: dict[str, Any]) -> None:
    from adapters.sql.engine.pymysql_deadlines import DeadlineConnection

    if not arguments.keys().isdisjoint(_NOT_TEXT):
        raise ValueError
    DeadlineConnection(**arguments, defer_connect=True)
