"""What judges the polls of a catalog: their history, good polls in a row, and the answer that set a guard."""

import sqlalchemy as sa
from alembic import op

revision = "0105"
down_revision = "0104"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("catalog_polls", sa.Column("guard_sample", sa.Text(), nullable=True))
    op.add_column("catalog_polls", sa.Column("good_polls", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("catalog_polls", sa.Column("history", sa.JSON(), nullable=True))
    op.create_table(
        "catalog_drills",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("term", sa.Text(), nullable=True),
        sa.Column("section", sa.Text(), nullable=True),
        sa.Column("seconds", sa.JSON(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_catalog_drills")),
    )


def downgrade() -> None:
    op.drop_table("catalog_drills")
    for name in ("guard_sample", "good_polls", "history"):
        op.drop_column("catalog_polls", name)
