"""Claims on mail batches have a fence; what was called off as gone again says so whatever it waited for."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_GONE = "the seats were gone again before the mail left"
_GONE_BEFORE = "the seats were gone again when the cooldown was over"


def upgrade() -> None:
    op.add_column("mail_batches", sa.Column("fence", sa.Integer(), server_default="0", nullable=False))
    _reword(_GONE_BEFORE, _GONE)


def downgrade() -> None:
    _reword(_GONE, _GONE_BEFORE)
    op.drop_column("mail_batches", "fence")


def _reword(before: str, after: str) -> None:
    notices = sa.table("notices", sa.column("state", sa.Text), sa.column("reason", sa.Text))
    is_gone = (notices.c.state == "suppressed") & (notices.c.reason == before)
    op.execute(notices.update().where(is_gone).values(reason=after))
