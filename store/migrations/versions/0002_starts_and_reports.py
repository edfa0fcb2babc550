"""How often mail was begun without an end, and what the provider reported of which letter."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("mail_batches", "notifications"):
        op.add_column(table, sa.Column("starts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("mail_events", sa.Column("provider_id", sa.Text(), nullable=True))
    op.add_column("mail_events", sa.Column("reason", sa.Text(), nullable=True))
    op.create_index(op.f("ix_mail_events_provider_id"), "mail_events", ["provider_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_mail_events_provider_id"), table_name="mail_events")
    op.drop_column("mail_events", "reason")
    op.drop_column("mail_events", "provider_id")
    for table in ("notifications", "mail_batches"):
        op.drop_column(table, "starts")
