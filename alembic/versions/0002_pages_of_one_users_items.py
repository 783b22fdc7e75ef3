"""Pages of one user's items, by an index in page order."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    again = getattr(op.get_context().dialect, "is_mariadb", False)
    op.create_index("ix_items_owner_id_id", "items", ["owner_id", "id"], if_not_exists=again)
    op.drop_index("ix_items_owner_id", "items", if_exists=again)


def downgrade() -> None:
    again = getattr(op.get_context().dialect, "is_mariadb", False)
    op.create_index("ix_items_owner_id", "items", ["owner_id"], if_not_exists=again)
    op.drop_index("ix_items_owner_id_id", "items", if_exists=again)
