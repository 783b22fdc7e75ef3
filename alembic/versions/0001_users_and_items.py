"""Users and items."""

import sqlalchemy as sa
from alembic import context, op
from alembic.util import CommandError

from adapters.sql.mapping import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MariaDB keeps the half of a run that was killed; MySQL does too, but knows no IF NOT EXISTS for an index.
    again = getattr(op.get_context().dialect, "is_mariadb", False)
    op.create_table(
        "users",
        sa.Column("id", types.Id, nullable=False),
        sa.Column("email", types.ExactString(254), nullable=False),
        sa.Column("email_key", types.ExactString(254), nullable=False),
        sa.Column("hashed_password", types.ExactString(255), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email_key", name="uq_users_email_key"),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_table(
        "items",
        sa.Column("id", types.Id, nullable=False),
        sa.Column("title", types.ExactString(255), nullable=False),
        sa.Column("description", types.ExactString(10_000)),
        sa.Column("price", types.Cents),
        sa.Column("owner_id", types.Id),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_items_owner_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_index("ix_items_owner_id", "items", ["owner_id"], if_not_exists=again)


def downgrade() -> None:
    if not context.is_offline_mode():
        for table in sa.inspect(op.get_bind()).get_table_names():  # MariaDB may have dropped one before it was killed
            row = sa.select(sa.column("id")).select_from(sa.table(table)).limit(1)
            if table in ("users", "items") and op.get_bind().scalar(row):
                raise CommandError(f"below 0001 there is no place for {table}, and there are some; nothing was changed")
    op.drop_table("items", if_exists=True)
    op.drop_table("users", if_exists=True)
