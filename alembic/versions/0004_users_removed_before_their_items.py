"""Users who are removed while their many items are not deleted yet."""

import sqlalchemy as sa
from alembic import context, op

from adapters.sql.mapping import types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removed_users",
        sa.Column("user_id", types.Id, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_removed_users"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_removed_users_user_id", ondelete="CASCADE"),
        if_not_exists=True,
    )


def downgrade() -> None:
    # The version before would show them again. SQLite cascades nothing here: foreign keys are off while it migrates.
    if context.is_offline_mode() or sa.inspect(op.get_bind()).has_table("removed_users"):
        op.execute("DELETE FROM items WHERE owner_id IN (SELECT user_id FROM removed_users)")
        op.execute("DELETE FROM users WHERE id IN (SELECT user_id FROM removed_users)")
    op.drop_table("removed_users", if_exists=True)
