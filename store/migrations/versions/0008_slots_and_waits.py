"""Which run stands for its slot, and what a parked batch of checks waits for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SLOT = ("uq_runs_slot", "runs", ["stagger", "slot_ms"])


def upgrade() -> None:
    op.add_column(
        "runs", sa.Column("holds_slot", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.execute("UPDATE runs SET holds_slot = NOT forced AND state NOT IN ('failed', 'skipped')")
    _index_slots("holds_slot")
    op.add_column("check_batches", sa.Column("waits_for", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("check_batches", "waits_for")
    # Before, a slot had one run, whatever became of it: the later ones count as forced.
    op.execute(
        "UPDATE runs SET forced = true WHERE NOT forced AND number NOT IN"
        " (SELECT min(number) FROM runs WHERE NOT forced GROUP BY stagger, slot_ms)"
    )
    _index_slots("NOT forced")
    op.drop_column("runs", "holds_slot")


def _index_slots(condition: str) -> None:
    where = sa.text(condition)
    op.drop_index("uq_runs_slot", table_name="runs")
    op.create_index(*_SLOT, unique=True, sqlite_where=where, postgresql_where=where)
