"""Text to search in, indexes to find and sort by, and the answers to requests that may come again."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import context, op
from alembic.util import CommandError

from adapters.sql.mapping import types
from domain.text import fold_text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BATCH = 1_000
"""Rows in memory at once."""

_items = sa.table(
    "items",
    sa.column("id", types.Id),
    sa.column("title", types.ExactString),
    sa.column("description", types.ExactString),
    sa.column("search_text", types.ExactText),
)


def upgrade() -> None:
    again = getattr(op.get_context().dialect, "is_mariadb", False)
    mysql = op.get_context().dialect.name == "mysql"
    if context.is_offline_mode() and context.get_starting_revision_argument() not in (None, "base"):
        raise CommandError("a script cannot fill items.search_text; let 0003 run on the database itself")
    op.create_table(
        "idempotency_keys",
        sa.Column("key", types.ExactString(255), nullable=False),
        sa.Column("fingerprint", types.ExactString(255), nullable=False),
        sa.Column("answer", types.ExactText, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_idempotency_keys"),
        if_not_exists=True,
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"], if_not_exists=again)
    # MySQL gives a new column of text no default but its own: empty. SQLite never lets go of the one it is given.
    empty = None if mysql else ""
    search_text = sa.Column("search_text", types.ExactText, nullable=False, server_default=empty)
    op.add_column("items", search_text, if_not_exists=again or None)
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("items", "search_text", server_default=None)
    if not context.is_offline_mode():
        for batch in _not_filled(op.get_bind()):
            op.get_bind().execute(_fill, [{"item": id, "text": text} for id, text in batch])
    op.create_index("ix_items_title_id", "items", ["title", "id"], if_not_exists=again)
    op.create_index("ix_items_price_id", "items", ["price", "id"], if_not_exists=again)
    op.create_index("ix_users_is_active_id", "users", ["is_active", "id"], if_not_exists=again)


_fill = sa.update(_items).where(_items.c.id == sa.bindparam("item")).values(search_text=sa.bindparam("text"))


def _not_filled(connection: sa.Connection) -> Iterator[list[tuple[int, str]]]:
    """Ids of items with what ``domain.items.Item`` derives from their title and description."""
    last = 0
    page = sa.select(_items.c.id, _items.c.title, _items.c.description).order_by(_items.c.id).limit(_BATCH)
    while rows := connection.execute(page.where(_items.c.id > last, _items.c.search_text == "")).all():
        yield [(id, fold_text(f"{title}\n{description or ''}")) for id, title, description in rows]
        last = rows[-1].id


def downgrade() -> None:
    again = getattr(op.get_context().dialect, "is_mariadb", False)
    op.drop_index("ix_users_is_active_id", "users", if_exists=again)
    op.drop_index("ix_items_price_id", "items", if_exists=again)
    op.drop_index("ix_items_title_id", "items", if_exists=again)
    op.drop_column("items", "search_text", if_exists=again or None)
    op.drop_table("idempotency_keys", if_exists=True)
