"""The same users and items for everybody, in databases of our own that are dropped at the end.

Every start of a contestant gets a fresh copy, so that nobody finds what somebody else has created.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from sqlalchemy import URL, NullPool, create_engine, func, make_url, select, table, text

from adapters.sql.engine.engines import parse_url
from benchmarks.rows import SCHEMAS, fill


@dataclass(frozen=True, slots=True)
class Copies:
    """Databases with users and items in them.

    :param versions: of what keeps the data, and its settings.
    :param fresh: enters with the URL of a new database with one of the ``SCHEMAS``; leaves without it.
    :param filled: likewise for Belongings, with so many users instead of the usual ones; it takes as long as they do.
    """

    versions: dict[str, str]
    fresh: Callable[[str], AbstractContextManager[str]]
    filled: Callable[[int], AbstractContextManager[str]]


@contextmanager
def sqlite_copies() -> Iterator[Copies]:
    """Copies in a temporary folder."""
    with TemporaryDirectory(prefix="belongings-bench-") as name:
        folder = Path(name)
        for schema in SCHEMAS:
            fill(make_url(f"sqlite:///{folder / schema}.db"), schema)

        @contextmanager
        def fresh(schema: str) -> Iterator[str]:
            with TemporaryDirectory(dir=folder) as name:
                copyfile(folder / f"{schema}.db", Path(name) / "copy.db")
                yield f"sqlite:///{name}/copy.db"

        @contextmanager
        def filled(users: int) -> Iterator[str]:
            with TemporaryDirectory(dir=folder) as name:
                url = f"sqlite:///{name}/filled.db"
                fill(make_url(url), "service", users)
                yield url

        yield Copies({"SQLite": sqlite3.sqlite_version}, fresh, filled)


@contextmanager
def postgresql_copies(server: str) -> Iterator[Copies]:
    """Copies on a server where this URL may create databases."""
    administrator = parse_url(server)
    prefix = f"belongings_bench_{uuid4().hex[:12]}"
    settings = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
    versions = {f"PostgreSQL {name}": str(_administer(administrator, f"SHOW {name}")) for name in settings}
    with ExitStack() as stack:
        for schema in SCHEMAS:
            fill(stack.enter_context(_new_database(administrator, f"{prefix}_{schema}")), schema)

        @contextmanager
        def fresh(schema: str) -> Iterator[str]:
            with _new_database(administrator, f"{prefix}_copy", f"{prefix}_{schema}") as url:
                yield _for_everybody(url)

        @contextmanager
        def filled(users: int) -> Iterator[str]:
            with _new_database(administrator, f"{prefix}_{users}") as url:
                fill(url, "service", users)
                yield _for_everybody(url)

        yield Copies(versions, fresh, filled)


@contextmanager
def _new_database(administrator: URL, name: str, template: str = "template1") -> Iterator[URL]:
    try:
        _administer(administrator, f"CREATE DATABASE {name} TEMPLATE {template}")
        yield administrator.set(database=name)
    finally:
        _administer(administrator, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _for_everybody(url: URL) -> str:
    """The address without the name of our driver: others have another."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _administer(url: URL, statement: str) -> Any:
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        result = connection.execute(text(statement))
        return result.scalar() if result.returns_rows else None


def count_items(url: str) -> int:
    """How many items a database has, whichever its schema."""
    with create_engine(parse_url(url), poolclass=NullPool).connect() as connection:
        return connection.scalar(select(func.count()).select_from(table("items"))) or 0
