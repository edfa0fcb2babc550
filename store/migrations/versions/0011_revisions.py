"""Revisions order what was asked of a section; what it last said of unreserved seats is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLE = "section_history"
_BY_TIME = ("ix_section_history_section_id_observed_at_ms", _TABLE, ["section_id", "observed_at_ms"])
_BY_ORDER = ("ix_section_history_section_id_id", _TABLE, ["section_id", "id"])


def upgrade() -> None:
    op.add_column("sections", sa.Column("revision", sa.Integer(), server_default="0", nullable=False))
    op.add_column("sections", sa.Column("unreserved_seats", sa.Integer(), nullable=True))
    op.create_index(*_BY_ORDER)
    op.drop_index(_BY_TIME[0], table_name=_TABLE)


def downgrade() -> None:
    op.create_index(*_BY_TIME)
    op.drop_index(_BY_ORDER[0], table_name=_TABLE)
    op.drop_column("sections", "unreserved_seats")
    op.drop_column("sections", "revision")
