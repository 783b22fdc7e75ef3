"""Users and items for everybody: as rows, and as they are shown."""

from decimal import Decimal
from typing import Any

from sqlalchemy import URL, NullPool, create_engine, insert, text

from adapters.sql.mapping import tables
from adapters.sql.operations.migrations import migrate
from benchmarks.contestants import tutorial
from domain.text import fold_text
from domain.users import canonical_email

USERS = 1_000
ITEMS_EACH = 10
SCHEMAS = ("service", "tutorial")

_AT_ONCE = 1_000
"""How many users' rows are sent together."""


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
    last = id * ITEMS_EACH
    own = [item(each) for each in range(last - ITEMS_EACH + 1, last + 1)]
    return {"email": f"somebody.{id}@example.com", "id": id, "is_active": True, "items": own}


def fill(url: URL, schema: str, users: int = USERS) -> None:
    """Make the tables of one of the ``SCHEMAS``, and so many users with their items; the database gives the ids."""
    engine = create_engine(url, poolclass=NullPool)
    if schema == "tutorial":
        metadata = tutorial.Base.metadata
        metadata.create_all(engine)
    else:
        metadata = tables.metadata
        migrate(url)
    with engine.begin() as connection:
        for first in range(1, users + 1, _AT_ONCE):
            some = [user(id) for id in range(first, min(first + _AT_ONCE, users + 1))]
            items = [each for one in some for each in one["items"]]
            connection.execute(insert(metadata.tables["users"]), [_user_row(each, schema) for each in some])
            connection.execute(insert(metadata.tables["items"]), [_item_row(each, schema) for each in items])
    if url.get_backend_name() == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _user_row(shown: dict[str, Any], schema: str) -> dict[str, Any]:
    row = {"email": shown["email"], "hashed_password": "not a hash", "is_active": True}
    return row if schema == "tutorial" else {**row, "email_key": canonical_email(shown["email"]), "version": 1}


def _item_row(shown: dict[str, Any], schema: str) -> dict[str, Any]:
    row = {name: shown[name] for name in ("title", "description", "owner_id")}
    if schema == "tutorial":
        return row
    searched = fold_text(f"{row['title']}\n{row['description']}")
    return {**row, "price": Decimal(str(shown["price"])), "version": 1, "search_text": searched}
