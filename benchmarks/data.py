"""The same users and items for everybody, in databases of our own that are dropped at the end.

Every start of a contestant gets a fresh copy, so that nobody finds what somebody else has created.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from sqlalchemy import URL, NullPool, create_engine, func, insert, make_url, select, table, text

from adapters.sql import tables
from adapters.sql.engines import parse_url
from adapters.sql.migrations import migrate
from benchmarks.contestants import tutorial
from domain.users import canonical_email

USERS = 1_000
ITEMS_EACH = 10
SCHEMAS = ("belongings", "tutorial")


def item(id: int) -> dict[str, Any]:
    """The item with this id, as Belongings shows it."""
    return {
        "title": f"Thing {id}",
        "description": f"Kept on shelf {id} since it may be of use one day",
        "price": (id * 7 % 100_000) / 100,
        "id": id,
        "owner_id": (id - 1) // ITEMS_EACH + 1,
    }


def user(id: int) -> dict[str, Any]:
    """The user with this id, as Belongings shows them."""
    first = (id - 1) * ITEMS_EACH + 1
    own = [item(each) for each in range(first, first + ITEMS_EACH)]
    return {"email": f"somebody.{id}@example.com", "id": id, "is_active": True, "items": own}


@dataclass(frozen=True, slots=True)
class Copies:
    """Databases with all users and items in them.

    :param versions: of what keeps the data, and its settings.
    :param fresh: enters with the URL of a new database with one of the ``SCHEMAS``; leaves without it.
    """

    versions: dict[str, str]
    fresh: Callable[[str], AbstractContextManager[str]]


@contextmanager
def sqlite_copies() -> Iterator[Copies]:
    """Copies in a temporary folder."""
    with TemporaryDirectory(prefix="belongings-bench-") as name:
        folder = Path(name)
        for schema in SCHEMAS:
            _fill(make_url(f"sqlite:///{folder / schema}.db"), schema)

        @contextmanager
        def fresh(schema: str) -> Iterator[str]:
            with TemporaryDirectory(dir=folder) as name:
                copyfile(folder / f"{schema}.db", Path(name) / "copy.db")
                yield f"sqlite:///{name}/copy.db"

        yield Copies({"SQLite": sqlite3.sqlite_version}, fresh)


@contextmanager
def postgresql_copies(server: str) -> Iterator[Copies]:
    """Copies on a server where this URL may create databases."""
    administrator = parse_url(server)
    prefix = f"belongings_bench_{uuid4().hex[:12]}"
    settings = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
    versions = {f"PostgreSQL {name}": str(_administer(administrator, f"SHOW {name}")) for name in settings}
    with ExitStack() as stack:
        for schema in SCHEMAS:
            _fill(stack.enter_context(_new_database(administrator, f"{prefix}_{schema}")), schema)

        @contextmanager
        def fresh(schema: str) -> Iterator[str]:
            with _new_database(administrator, f"{prefix}_copy", f"{prefix}_{schema}") as url:
                yield url.set(drivername="postgresql").render_as_string(hide_password=False)

        yield Copies(versions, fresh)


@contextmanager
def _new_database(administrator: URL, name: str, template: str = "template1") -> Iterator[URL]:
    _administer(administrator, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield administrator.set(database=name)
    finally:
        _administer(administrator, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(url: URL, statement: str) -> Any:
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        result = connection.execute(text(statement))
        return result.scalar() if result.returns_rows else None


def count_items(url: str) -> int:
    """How many items a database has, whichever its schema."""
    with create_engine(parse_url(url), poolclass=NullPool).connect() as connection:
        return connection.scalar(select(func.count()).select_from(table("items"))) or 0


def _fill(url: URL, schema: str) -> None:
    """Make the tables and the rows; ids are given by the database, from 1."""
    engine = create_engine(url, poolclass=NullPool)
    everybody = [user(id) for id in range(1, USERS + 1)]
    users = [{"email": each["email"], "hashed_password": "not a hash", "is_active": True} for each in everybody]
    names = ("title", "description", "owner_id")
    items = [{name: each[name] for name in names} for one in everybody for each in one["items"]]
    if schema == "tutorial":
        tutorial.Base.metadata.create_all(engine)
    else:
        migrate(url)
        users = [{**each, "email_key": canonical_email(str(each["email"])), "version": 1} for each in users]
        items = [
            {**each, "price": Decimal(str(item(id)["price"])), "version": 1} for id, each in enumerate(items, start=1)
        ]
    metadata = tutorial.Base.metadata if schema == "tutorial" else tables.metadata
    with engine.begin() as connection:
        connection.execute(insert(metadata.tables["users"]), users)
        connection.execute(insert(metadata.tables["items"]), items)
    if url.get_backend_name() == "postgresql":
        _administer(url, "VACUUM ANALYZE")
