"""What became of refunds, and what was paid; refunds of earlier releases are asked about once more."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MOMENTS = ("refund_made_at_ms", "refund_due_at_ms", "resolved_at_ms")
_TEXTS = ("currency", "refund_state", "refund_reason")
_INDEXED = ("payment", "refund_due_at_ms", "refund_state")


def upgrade() -> None:
    op.add_column("payments", sa.Column("amount", sa.BigInteger(), nullable=True))
    for name in _TEXTS:
        op.add_column("payments", sa.Column(name, sa.Text(), nullable=True))
    for name in _MOMENTS:
        op.add_column("payments", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column(
        "payments", sa.Column("refund_keys_spent", sa.Integer(), nullable=False, server_default="0")
    )
    for name in _INDEXED:
        op.create_index(op.f(f"ix_payments_{name}"), "payments", [name], unique=False)
    op.execute(
        "UPDATE payments SET refund_state = 'pending', refund_made_at_ms = refunded_at_ms, "
        "refund_due_at_ms = refunded_at_ms, refunded_at_ms = NULL WHERE refund_id IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("UPDATE payments SET refunded_at_ms = refund_made_at_ms WHERE refund_id IS NOT NULL")
    for name in _INDEXED:
        op.drop_index(op.f(f"ix_payments_{name}"), "payments")
    for name in ("refund_keys_spent", *_MOMENTS, *_TEXTS, "amount"):
        op.drop_column("payments", name)
