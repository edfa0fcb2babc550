"""The history of waitlists and reserved seats; the baseline of a course watch, and the watches it made."""

import sqlalchemy as sa
from alembic import op

revision = "0103"
down_revision = "0102"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("is_counted", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        sa.Column("unreserved_seats", sa.Integer(), nullable=True),
        sa.Column("waitlist_places", sa.Integer(), nullable=True),
        sa.Column("waitlist_length", sa.Integer(), nullable=True),
    ):
        op.add_column("section_history", column)
    op.add_column("watches", sa.Column("course_watch_id", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_watches_course_watch_id"), "watches", ["course_watch_id"], unique=False)
    op.add_column("course_watches", sa.Column("baseline_at_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("course_watches", "baseline_at_ms")
    op.drop_index(op.f("ix_watches_course_watch_id"), table_name="watches")
    op.drop_column("watches", "course_watch_id")
    for name in ("waitlist_length", "waitlist_places", "unreserved_seats", "is_counted"):
        op.drop_column("section_history", name)
