"""Polled catalogs: their terms and polls, what they state about a section, and watches of courses."""

import sqlalchemy as sa
from alembic import op

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for column in (
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("is_counted", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        sa.Column("waitlist_places", sa.Integer(), nullable=True),
        sa.Column("waitlist_length", sa.Integer(), nullable=True),
        sa.Column("waitlist_openings", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("fillings", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("as_of_ms", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.BigInteger(), nullable=True),
    ):
        op.add_column("sections", column)
    op.add_column(
        "watches", sa.Column("unreserved_only", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    op.add_column("watches", sa.Column("max_waitlist", sa.Integer(), nullable=True))
    _create_course_watches()
    _create_catalog_terms()
    _create_catalog_polls()


def downgrade() -> None:
    op.drop_table("catalog_polls")
    op.drop_table("catalog_terms")
    op.drop_table("course_watches")
    for name in ("max_waitlist", "unreserved_only"):
        op.drop_column("watches", name)
    for name in (
        "digest",
        "as_of_ms",
        "fillings",
        "waitlist_openings",
        "waitlist_length",
        "waitlist_places",
        "is_counted",
        "status",
    ):
        op.drop_column("sections", name)


def _create_course_watches() -> None:
    op.create_table(
        "course_watches",
        sa.Column("id", _id(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("course", sa.Text(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("min_seats", sa.Integer(), nullable=False),
        sa.Column("unreserved_only", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("max_waitlist", sa.Integer(), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course_watches")),
    )
    op.create_index(
        "uq_course_watches_active",
        "course_watches",
        ["source", "term", "course", "email"],
        unique=True,
        sqlite_where=sa.text("ended_at_ms IS NULL"),
        postgresql_where=sa.text("ended_at_ms IS NULL"),
    )
    op.create_index(op.f("ix_course_watches_email"), "course_watches", ["email"], unique=False)


def _create_catalog_terms() -> None:
    op.create_table(
        "catalog_terms",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("is_view_only", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "code", name=op.f("pk_catalog_terms")),
    )


def _create_catalog_polls() -> None:
    op.create_table(
        "catalog_polls",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempted_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("completed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("swept_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("known_rows", sa.Integer(), nullable=True),
        sa.Column("as_of_ms", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("polls", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("requests", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("changed", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("fence", sa.BigInteger(), nullable=True),
        sa.Column("guard", sa.Text(), nullable=False, server_default="clear"),
        sa.Column("guard_reason", sa.Text(), nullable=True),
        sa.Column("guard_since_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("source", "term", name=op.f("pk_catalog_polls")),
    )
    op.create_index(op.f("ix_catalog_polls_due_at_ms"), "catalog_polls", ["due_at_ms"], unique=False)
