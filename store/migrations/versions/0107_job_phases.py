"""Jobs that wait for a person: phases, waits and signals."""

import sqlalchemy as sa
from alembic import op

revision = "0107"
down_revision = "0106"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("phase", sa.Text(), None),
    ("phase_number", sa.Integer(), "0"),
    ("phase_state", sa.JSON(), None),
    ("phase_version", sa.Integer(), "0"),
    ("wait_kind", sa.Text(), None),
    ("wait_until_ms", sa.BigInteger(), None),
    ("wait_ended_by", sa.Text(), None),
    ("wait_ended_at_ms", sa.BigInteger(), None),
    ("preview_version", sa.Integer(), "0"),
)


def upgrade() -> None:
    for name, kind, default in _COLUMNS:
        op.add_column("jobs", sa.Column(name, kind, nullable=default is None, server_default=default))
    op.create_index(op.f("ix_jobs_wait_until_ms"), "jobs", ["wait_until_ms"])
    op.create_table(
        "job_signals",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("preview_version", sa.Integer(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("consumed_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_signals_job_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_job_signals")),
        sa.UniqueConstraint("job_id", "signal_id", name=op.f("uq_job_signals_job_id_signal_id")),
    )


def downgrade() -> None:
    op.drop_table("job_signals")
    op.drop_index(op.f("ix_jobs_wait_until_ms"), "jobs")
    for name, _, _ in reversed(_COLUMNS):
        op.drop_column("jobs", name)
