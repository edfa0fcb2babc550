"""Opt-outs as facts of their own, derived from the watches that people ended.

Several watches that ended at one moment were ended by "stop all mail"; one alone was one section's. A watch
that was added again after its person had opted out ends: only the person can take the opt-out back.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ALL_MAIL = """
INSERT INTO opt_outs (email, section_id, created_at_ms)
SELECT email, NULL, max(ended_at_ms) FROM (
  SELECT email, ended_at_ms FROM watches WHERE ended_reason = 'unsubscribed'
  GROUP BY email, ended_at_ms HAVING count(*) > 1
) AS stops GROUP BY email
"""
_ONE_SECTION = """
INSERT INTO opt_outs (email, section_id, created_at_ms)
SELECT w.email, w.section_id, max(w.ended_at_ms) FROM watches w
WHERE w.ended_reason = 'unsubscribed' AND NOT EXISTS (
  SELECT 1 FROM watches o
  WHERE o.email = w.email AND o.ended_reason = 'unsubscribed' AND o.ended_at_ms = w.ended_at_ms
  AND o.id <> w.id
)
GROUP BY w.email, w.section_id
"""
_END = """
UPDATE watches SET ended_reason = 'unsubscribed', paused_until_ms = NULL, ended_at_ms = (
  SELECT max(CASE WHEN o.created_at_ms > watches.created_at_ms
    THEN o.created_at_ms ELSE watches.created_at_ms END)
  FROM opt_outs o
  WHERE o.email = watches.email AND (o.section_id IS NULL OR o.section_id = watches.section_id)
)
WHERE ended_at_ms IS NULL AND EXISTS (
  SELECT 1 FROM opt_outs o
  WHERE o.email = watches.email AND (o.section_id IS NULL OR o.section_id = watches.section_id)
)
"""


def upgrade() -> None:
    op.create_table(
        "opt_outs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("section_id", _ID, nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], name=op.f("fk_opt_outs_section_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opt_outs")),
    )
    for name, columns, condition in (
        ("uq_opt_outs_all", ["email"], "section_id IS NULL"),
        ("uq_opt_outs_section", ["email", "section_id"], "section_id IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, "opt_outs", columns, unique=True, sqlite_where=where, postgresql_where=where)
    for statement in (_ALL_MAIL, _ONE_SECTION, _END):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("opt_outs")
