"""Tables, columns and indexes under their standard names; no row changes. Begins generation 1.

SQLite cannot rename a constraint: its name is replaced in the text of the schema, as SQLite's documentation
of ALTER TABLE describes for changes that leave the stored rows as they are.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0100"
down_revision = "0017"
branch_labels = None
depends_on = None

_TABLES = {
    "notices": "watch_notifications",
    "bulletins": "alert_notifications",
    "job_calls": "job_callbacks",
    "section_days": "section_daily_rollups",
}
_COLUMNS = [
    ("alerts", "doubted_since_ms", "pending_since_ms"),
    ("alert_notifications", "told_at_ms", "sent_at_ms"),
    ("credit_entries", "pot", "account_type"),
    ("credit_transfers", "purpose", "entry_type"),
    ("jobs", "accepted_at_ms", "enqueued_at_ms"),
    ("jobs", "cancel_asked_at_ms", "cancel_requested_at_ms"),
    ("jobs", "given", "input"),
    ("mail_batches", "letters", "messages"),
    ("payment_events", "verdict", "decision"),
    ("payments", "refund_keys_spent", "refund_keys_used"),
    ("payments", "trouble", "failure_reason"),
    ("payments", "troubled_at_ms", "failed_at_ms"),
    ("section_daily_rollups", "looked_at_ms", "polled_ms"),
    ("sections", "doubts", "anomalies"),
    ("watch_notifications", "settled_at_ms", "completed_at_ms"),
]
_INDEXES = {
    "ix_bulletins_due_at_ms": "ix_alert_notifications_due_at_ms",
    "ix_credit_entries_account_pot_id": "ix_credit_entries_account_account_type_id",
    "ix_job_calls_due_at_ms": "ix_job_callbacks_due_at_ms",
    "ix_notices_mail_batch_id": "ix_watch_notifications_mail_batch_id",
    "ix_notices_provider_id": "ix_watch_notifications_provider_id",
    "ix_notices_sent_at_ms": "ix_watch_notifications_sent_at_ms",
    "ix_notices_state_due_at_ms": "ix_watch_notifications_state_due_at_ms",
    "ix_payments_troubled_at_ms": "ix_payments_failed_at_ms",
    "ix_section_days_day": "ix_section_daily_rollups_day",
    "uq_watches_living": "uq_watches_active",
}
_CONSTRAINTS = [
    ("watch_notifications", "pk_notices", "pk_watch_notifications"),
    ("watch_notifications", "fk_notices_mail_batch_id", "fk_watch_notifications_mail_batch_id"),
    ("watch_notifications", "fk_notices_watch_id", "fk_watch_notifications_watch_id"),
    (
        "watch_notifications",
        "uq_notices_watch_id_kind_episode",
        "uq_watch_notifications_watch_id_kind_episode",
    ),
    ("alert_notifications", "pk_bulletins", "pk_alert_notifications"),
    ("alert_notifications", "fk_bulletins_alert", "fk_alert_notifications_alert"),
    (
        "alert_notifications",
        "uq_bulletins_alert_channel_episode_state",
        "uq_alert_notifications_alert_channel_episode_state",
    ),
    ("credit_entries", "uq_credit_entries_transfer_id_pot", "uq_credit_entries_transfer_id_account_type"),
    ("credit_transfers", "uq_credit_transfers_job_id_purpose", "uq_credit_transfers_job_id_entry_type"),
    ("job_callbacks", "pk_job_calls", "pk_job_callbacks"),
    ("job_callbacks", "fk_job_calls_job_id", "fk_job_callbacks_job_id"),
    ("section_daily_rollups", "pk_section_days", "pk_section_daily_rollups"),
    ("section_daily_rollups", "fk_section_days_section_id", "fk_section_daily_rollups_section_id"),
]
_SEQUENCES = {
    "notices_id_seq": "watch_notifications_id_seq",
    "bulletins_id_seq": "alert_notifications_id_seq",
}


def upgrade() -> None:
    for old, new in _TABLES.items():
        op.rename_table(old, new)
    for table, old, new in _COLUMNS:
        op.alter_column(table, old, new_column_name=new)
    _rename_indexes(_INDEXES)
    _rename_constraints(_CONSTRAINTS)
    _rename_sequences(_SEQUENCES)


def downgrade() -> None:
    _rename_sequences({new: old for old, new in _SEQUENCES.items()})
    _rename_constraints([(table, new, old) for table, old, new in _CONSTRAINTS])
    _rename_indexes({new: old for old, new in _INDEXES.items()})
    for table, old, new in _COLUMNS:
        op.alter_column(table, new, new_column_name=old)
    for old, new in _TABLES.items():
        op.rename_table(new, old)


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _rename_indexes(names: dict[str, str]) -> None:
    if not _is_sqlite():
        for old, new in names.items():
            op.execute(f'ALTER INDEX "{old}" RENAME TO "{new}"')
        return
    query = sa.text("SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = :name")
    for old, new in names.items():
        statement = op.get_bind().execute(query, {"name": old}).scalar_one()
        op.execute(f'DROP INDEX "{old}"')
        op.execute(statement.replace(old, new, 1).replace('"', ""))  # SQLite quotes what it has renamed


def _rename_constraints(names: list[tuple[str, str, str]]) -> None:
    if not _is_sqlite():
        for table, old, new in names:
            op.execute(f'ALTER TABLE "{table}" RENAME CONSTRAINT "{old}" TO "{new}"')
        return
    version = op.get_bind().execute(sa.text("PRAGMA schema_version")).scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    for table, old, new in names:
        change = sa.text(
            "UPDATE sqlite_schema SET sql = replace(sql, :old, :new) WHERE type = 'table' AND name = :table"
        )
        op.get_bind().execute(
            change, {"old": f"CONSTRAINT {old} ", "new": f"CONSTRAINT {new} ", "table": table}
        )
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")


def _rename_sequences(names: dict[str, str]) -> None:
    if not _is_sqlite():
        for old, new in names.items():
            op.execute(f'ALTER SEQUENCE "{old}" RENAME TO "{new}"')
