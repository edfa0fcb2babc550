"""Terms whose sections have been missing for long are found without looking at every section."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_INDEX = "ix_sections_missing_since_ms"


def upgrade() -> None:
    op.create_index(op.f(_INDEX), "sections", ["missing_since_ms"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f(_INDEX), table_name="sections")
