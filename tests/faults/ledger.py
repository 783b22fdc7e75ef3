"""What a database has, beside what its clients were promised."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, NullPool, create_engine, text

from adapters.sql.engine.engines import parse_url
from tests.faults.writers import Promises


@dataclass(frozen=True, slots=True)
class Found:
    """How many are not as was promised.

    :ivar lost: acknowledged, and not there with the id that was told.
    :ivar doubled: there more than once.
    :ivar not_once: repeated until acknowledged, and not there exactly once.
    :ivar refused: there, though the answer was that nothing was changed.
    :ivar torn: batches of which some is there and some is not.
    :ivar strange: there, though nobody has sent them.
    """

    lost: int = 0
    doubled: int = 0
    not_once: int = 0
    refused: int = 0
    torn: int = 0
    strange: int = 0


NOTHING_WRONG = Found()


def compare(url: str, promises: Promises) -> Found:
    """Look into the database itself, which no service uses at the moment."""
    there = defaultdict[str, list[int]](list)
    with _connect(url) as connection:
        for table, name in (("users", "email"), ("items", "title")):
            for id, value in connection.execute(text(f"SELECT id, {name} FROM {table}")):
                there[value].append(id)
    sent = promises.repeated | promises.once
    return Found(
        lost=sum(id not in there.get(name, []) for name, id in promises.kept.items()),
        doubled=sum(len(ids) > 1 for ids in there.values()),
        not_once=sum(len(there.get(name, [])) != 1 for name in promises.repeated),
        refused=sum(name in there for name in promises.refused),
        torn=sum(len({name in there for name in batch}) > 1 for batch in promises.batches),
        strange=len(there.keys() - sent),
    )


def unsound(url: str) -> list[str]:
    """What the database finds wrong with itself, and foreign keys that lead nowhere."""
    with _connect(url) as connection:
        orphans = "SELECT items.id FROM items LEFT JOIN users ON users.id = owner_id"
        wrong = [
            f"item {id} has no owner" for id in _first(connection, f"{orphans} WHERE owner_id > 0 AND users.id IS NULL")
        ]
        if connection.dialect.name == "sqlite":
            wrong += [line for line in _first(connection, "PRAGMA integrity_check") if line != "ok"]
            wrong += _first(connection, "PRAGMA foreign_key_check")
        if connection.dialect.name == "mysql":
            checked = connection.execute(text("CHECK TABLE users, items, idempotency_keys, removed_users EXTENDED"))
            wrong += [str(row) for row in checked if row[3] != "OK"]
        if connection.dialect.name == "postgresql":  # reads every page, whose checksum it checks
            for table in ("users", "items", "idempotency_keys"):
                connection.execute(text(f"SELECT md5(string_agg({table}::text, '')) FROM {table}"))
    return wrong


def _first(connection: Connection, query: str) -> list[str]:
    return [str(value) for value in connection.scalars(text(query))]


def _connect(url: str) -> Connection:
    return create_engine(parse_url(url), poolclass=NullPool).connect()
