"""What operators did, watches that are paused, and the indexes of what operators look at."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INDEXES = {"section_history": "observed_at_ms", "watches": "section_id", "notifications": "sent_at_ms"}


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    op.add_column("watches", sa.Column("paused_until_ms", sa.BigInteger(), nullable=True))
    for table, column in _INDEXES.items():
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)


def downgrade() -> None:
    for table, column in _INDEXES.items():
        op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)
    op.drop_column("watches", "paused_until_ms")
    op.drop_index(op.f("ix_audit_subject"), table_name="audit")
    op.drop_table("audit")
