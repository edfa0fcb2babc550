"""Credits: a ledger of double entries, to which the database only lets rows be added."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LEDGER = ("credit_transfers", "credit_entries")
_REFUSAL = "the ledger of credits is append-only"


def upgrade() -> None:
    op.create_table(
        "credit_accounts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_credit_accounts")),
    )
    op.create_table(
        "credit_transfers",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["credit_accounts.name"], name=op.f("fk_credit_transfers_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_transfers")),
        sa.UniqueConstraint(
            "account", "idempotency_key", name=op.f("uq_credit_transfers_account_idempotency_key")
        ),
        sa.UniqueConstraint("job_id", "purpose", name=op.f("uq_credit_transfers_job_id_purpose")),
    )
    op.create_table(
        "credit_entries",
        sa.Column("id", _ID, nullable=False),
        sa.Column("transfer_id", _ID, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("pot", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("balance >= 0 OR pot = 'issued'", name=op.f("ck_credit_entries_balance")),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["credit_transfers.id"], name=op.f("fk_credit_entries_transfer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_entries")),
        sa.UniqueConstraint("transfer_id", "pot", name=op.f("uq_credit_entries_transfer_id_pot")),
    )
    op.create_index(
        op.f("ix_credit_transfers_account_id"), "credit_transfers", ["account", "id"], unique=False
    )
    op.create_index(
        op.f("ix_credit_entries_account_pot_id"), "credit_entries", ["account", "pot", "id"], unique=False
    )
    for statement in _guards():
        op.execute(statement)


def downgrade() -> None:
    for table in ("credit_entries", "credit_transfers", "credit_accounts"):
        op.drop_table(table)
    if not _is_sqlite():
        op.execute("DROP FUNCTION IF EXISTS refuse_change_of_ledger()")


def _guards() -> list[str]:
    if _is_sqlite():
        return [
            f"CREATE TRIGGER {table}_refuse_{change} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            for table in _LEDGER
            for change in ("UPDATE", "DELETE")
        ]
    function = (
        "CREATE OR REPLACE FUNCTION refuse_change_of_ledger() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    return [function] + [
        f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change_of_ledger()"
        for table in _LEDGER
    ]


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
