"""The check schedule of each source, estimates of its sections, and an index of the runs that it chose."""

import sqlalchemy as sa
from alembic import op

revision = "0104"
down_revision = "0103"
branch_labels = None
depends_on = None

_IS_BUDGET = sa.text("stagger = 'budget'")


def _id() -> sa.types.TypeEngine:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "check_schedules",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("planned_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("activity", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_check_schedules")),
    )
    op.create_table(
        "check_estimates",
        sa.Column("section_id", _id(), autoincrement=False, nullable=False),
        sa.Column("checked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("answered_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("open_seats", sa.Integer(), nullable=True),
        sa.Column("openings", sa.Float(), nullable=False),
        sa.Column("exposure", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], name=op.f("fk_check_estimates_section_id")),
        sa.PrimaryKeyConstraint("section_id", name=op.f("pk_check_estimates")),
    )
    op.create_index(
        "ix_runs_budget", "runs", ["finished_at_ms"], sqlite_where=_IS_BUDGET, postgresql_where=_IS_BUDGET
    )


def downgrade() -> None:
    op.drop_index("ix_runs_budget", "runs")
    op.drop_table("check_estimates")
    op.drop_table("check_schedules")
