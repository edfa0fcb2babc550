"""Mass changes that are doubted, and since when a section is missing."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sections", sa.Column("doubts", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("sections", sa.Column("missing_since_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("sections", "missing_since_ms")
    op.drop_column("sections", "doubts")
