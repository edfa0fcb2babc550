"""In how many runs in a row a section had no answer while others had."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sections", sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
    op.create_index(op.f("ix_sections_failures"), "sections", ["failures"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_sections_failures"), table_name="sections")
    op.drop_column("sections", "failures")
