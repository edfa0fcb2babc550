"""Durable jobs; and `notifications` becomes `notices`, for DBOS has a table of that name."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INDEXES = (("mail_batch_id",), ("provider_id",), ("state", "due_at_ms"), ("sent_at_ms",))


def upgrade() -> None:
    _rename("notifications", "notices")
    op.create_table(
        "jobs",
        sa.Column("number", _ID, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("given", sa.JSON(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("retry_of", sa.Text(), nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("executor", sa.Text(), nullable=True),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("starts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("published_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("accepted_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("cancel_asked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("finished_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_jobs")),
        sa.UniqueConstraint("id", name=op.f("uq_jobs_id")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_jobs_idempotency_key")),
        sa.UniqueConstraint("retry_of", name=op.f("uq_jobs_retry_of")),
        sqlite_autoincrement=True,
    )
    for columns in (["state", "profile"], ["kind", "state"], ["finished_at_ms"]):
        op.create_index(op.f(f"ix_jobs_{'_'.join(columns)}"), "jobs", columns, unique=False)
    op.create_table(
        "job_steps",
        sa.Column("id", _ID, nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("finished_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_steps_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_steps")),
        sa.UniqueConstraint("job_id", "name", name=op.f("uq_job_steps_job_id_name")),
    )
    op.create_table(
        "job_calls",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_calls_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_calls")),
    )
    op.create_index(op.f("ix_job_calls_due_at_ms"), "job_calls", ["due_at_ms"], unique=False)


def downgrade() -> None:
    for table in ("job_calls", "job_steps", "jobs"):
        op.drop_table(table)
    _rename("notices", "notifications")


def _rename(old: str, new: str) -> None:
    """Copy the rows: SQLite cannot rename what a table's constraints and indexes are called."""
    op.create_table(
        new,
        sa.Column("id", _ID, nullable=False),
        sa.Column("watch_id", _ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("observed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("settled_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("mail_batch_id", _ID, nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("starts", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["mail_batch_id"], ["mail_batches.id"], name=op.f(f"fk_{new}_mail_batch_id")),
        sa.ForeignKeyConstraint(["watch_id"], ["watches.id"], name=op.f(f"fk_{new}_watch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{new}")),
        sa.UniqueConstraint("watch_id", "kind", "episode", name=op.f(f"uq_{new}_watch_id_kind_episode")),
    )
    columns = (
        "id, watch_id, kind, episode, state, reason, facts, observed_at_ms, created_at_ms, due_at_ms,"
        " sent_at_ms, settled_at_ms, mail_batch_id, provider_id, starts"
    )
    op.execute(f"INSERT INTO {new} ({columns}) SELECT {columns} FROM {old}")  # noqa: S608 - names of ours
    if op.get_bind().dialect.name == "postgresql":
        newest = f"SELECT coalesce(max(id), 0) + 1 FROM {new}"  # noqa: S608
        op.execute(f"SELECT setval(pg_get_serial_sequence('{new}', 'id'), ({newest}), false)")
    op.drop_table(old)
    for index in _INDEXES:
        op.create_index(op.f(f"ix_{new}_{'_'.join(index)}"), new, list(index), unique=False)
