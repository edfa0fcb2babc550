"""The tables. Times are milliseconds since the epoch (`…_ms`); enumerations are stored as text.

The migrations in `store/migrations/versions` build the same schema; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only where the key's type is INTEGER.
_Id = BigInteger().with_variant(Integer, "sqlite")


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def _moment(name: str, *, nullable: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


sections = Table(
    "sections",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("source", Text, nullable=False),
    Column("term", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("is_even", Boolean, nullable=False),
    _moment("observed_at_ms"),
    Column("open_seats", Integer),
    Column("capacity", Integer),
    Column("instructor", Text),
    Column("course", Text, nullable=False, server_default=""),
    Column("title", Text, nullable=False, server_default=""),
    Column("location", Text, nullable=False, server_default=""),
    Column("meeting_times", Text, nullable=False, server_default=""),
    _count("openings"),
    _count("assignments"),
    _count("misses"),
    _count("retirements"),
    Column("retired", Boolean, nullable=False, server_default=text("false")),
    _count("revision"),  # orders observations; times do not
    Column("unreserved_seats", Integer),
    Column("anomalies", JSON(none_as_null=True)),  # NULL where there are none
    Column("missing_since_ms", BigInteger, index=True),
    # Consecutive runs in which it had no answer while others had.
    Column("failures", Integer, nullable=False, server_default="0", index=True),
    Column("status", Text),
    Column("is_counted", Boolean, nullable=False, server_default=text("true")),
    Column("waitlist_places", Integer),
    Column("waitlist_length", Integer),
    _count("waitlist_openings"),
    _count("fillings"),
    _moment("as_of_ms"),
    Column("digest", BigInteger),  # of the last stored observation of a polled catalog
    UniqueConstraint("source", "term", "number"),
)

section_history = Table(
    "section_history",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("section_id", _Id, ForeignKey("sections.id"), nullable=False),
    _moment("observed_at_ms", nullable=False),
    Column("open_seats", Integer),
    Column("capacity", Integer),
    Column("instructor", Text),
    Column("is_counted", Boolean, nullable=False, server_default=text("true")),
    Column("unreserved_seats", Integer),
    Column("waitlist_places", Integer),
    Column("waitlist_length", Integer),
    Index(None, "section_id", "id"),  # in the order in which it was written: clocks may jump
    Index(None, "observed_at_ms"),
)

watches = Table(
    "watches",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("email", Text, nullable=False),
    Column("section_id", _Id, ForeignKey("sections.id"), nullable=False),
    Column("kinds", JSON, nullable=False),
    Column("min_seats", Integer, nullable=False),
    _moment("created_at_ms", nullable=False),
    _moment("ended_at_ms"),
    Column("ended_reason", Text),
    _moment("paused_until_ms"),
    Column("unreserved_only", Boolean, nullable=False, server_default=text("false")),
    Column("max_waitlist", Integer),  # NULL: any length
    Column("course_watch_id", BigInteger, index=True),  # NULL unless a watch of a course made it
    # One active watch per person and section; ended ones remain as history.
    Index(
        "uq_watches_active",
        "section_id",
        "email",
        unique=True,
        sqlite_where=text("ended_at_ms IS NULL"),
        postgresql_where=text("ended_at_ms IS NULL"),
    ),
    Index(None, "email"),
    Index(None, "section_id"),
)

# A person's interest in every section that a course gains; each becomes a watch of its own.
course_watches = Table(
    "course_watches",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("email", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("term", Text, nullable=False),
    Column("course", Text, nullable=False),
    Column("kinds", JSON, nullable=False),
    Column("min_seats", Integer, nullable=False),
    Column("unreserved_only", Boolean, nullable=False, server_default=text("false")),
    Column("max_waitlist", Integer),
    _moment("created_at_ms", nullable=False),
    _moment("ended_at_ms"),
    Column("ended_reason", Text),
    _moment("baseline_at_ms"),  # the first complete answer about the course; NULL until then
    Index(
        "uq_course_watches_active",
        "source",
        "term",
        "course",
        "email",
        unique=True,
        sqlite_where=text("ended_at_ms IS NULL"),
        postgresql_where=text("ended_at_ms IS NULL"),
    ),
    Index(None, "email"),
)

# The terms that each catalog lists; `state` is listed, proposed, current or past.
catalog_terms = Table(
    "catalog_terms",
    metadata,
    Column("source", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("is_view_only", Boolean, nullable=False, server_default=text("false")),
    Column("position", Integer, nullable=False),  # in the catalog's list, 0 first
    Column("state", Text, nullable=False),
    _moment("seen_at_ms", nullable=False),
)

catalog_polls = Table(
    "catalog_polls",
    metadata,
    Column("source", Text, primary_key=True),
    Column("term", Text, primary_key=True),
    Column("due_at_ms", BigInteger, nullable=False, index=True),
    _moment("attempted_at_ms"),
    _moment("completed_at_ms"),  # the last complete answer
    _moment("swept_at_ms"),  # the last complete answer of the whole term
    Column("known_rows", Integer),  # in that answer
    _moment("as_of_ms"),
    _count("failures"),  # consecutive
    Column("fault", Text),
    Column("error", Text),
    _count("polls"),
    _count("requests"),
    _count("changed"),
    Column("fence", BigInteger),  # of the newest poll; an earlier one changes nothing
    Column("guard", Text, nullable=False, server_default="clear"),
    Column("guard_reason", Text),
    _moment("guard_since_ms"),
    Column("guard_sample", Text),  # the file with the answer that set the guard
    _count("good_polls"),  # consecutive
    Column("history", JSON(none_as_null=True)),  # a `PollHistory`
)

# The last fire drill of each catalog; `seconds` maps each stage that it passed to its duration.
catalog_drills = Table(
    "catalog_drills",
    metadata,
    Column("source", Text, primary_key=True),
    _moment("at_ms", nullable=False),
    Column("term", Text),
    Column("section", Text),
    Column("seconds", JSON, nullable=False),
    Column("fault", Text),
    Column("error", Text),
)

runs = Table(
    "runs",
    metadata,
    Column("number", _Id, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("trigger", Text, nullable=False),
    Column("stagger", Text, nullable=False),
    _moment("slot_ms", nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    _count("sections"),
    _count("checked"),
    _count("failed"),
    _count("deferred"),
    _count("changed"),
    _count("notifications"),
    Column("fence", BigInteger),
    _moment("created_at_ms", nullable=False),
    _moment("started_at_ms"),
    _moment("deadline_at_ms"),
    _moment("finished_at_ms"),
    _moment("pinged_at_ms"),
    # Whether it holds its slot: unforced, and not ended before it could ask anything (store/runs/slots.py).
    Column("holds_slot", Boolean, nullable=False, server_default=text("false")),
    Index(
        "uq_runs_slot",
        "stagger",
        "slot_ms",
        unique=True,
        sqlite_where=text("holds_slot"),
        postgresql_where=text("holds_slot"),
    ),
    Index(None, "state"),
    Index(
        "ix_runs_budget",
        "finished_at_ms",
        sqlite_where=text("stagger = 'budget'"),
        postgresql_where=text("stagger = 'budget'"),
    ),
)

# The check schedule of a source (`domain.check_schedule`), and what the checks of its sections have shown.
check_schedules = Table(
    "check_schedules",
    metadata,
    Column("source", Text, primary_key=True),
    _moment("planned_at_ms", nullable=False),
    _moment("due_at_ms", nullable=False),
    Column("activity", JSON, nullable=False),  # when the source changes, and the requests it may spend
)

check_estimates = Table(
    "check_estimates",
    metadata,
    Column("section_id", _Id, ForeignKey("sections.id"), primary_key=True, autoincrement=False),
    _moment("checked_at_ms"),  # or tried
    _moment("answered_at_ms"),
    _moment("changed_at_ms"),
    Column("open_seats", Integer),
    Column("openings", Float, nullable=False),
    Column("exposure", Float, nullable=False),
)

check_batches = Table(
    "check_batches",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False, index=True),
    Column("source", Text, nullable=False),
    # [[term, number, failed attempts], …]; the row is deleted when nothing is pending.
    Column("pending", JSON, nullable=False),
    _moment("due_at_ms"),
    _moment("published_at_ms"),
    Column("waits_for", Text),  # a `WaitReason`; NULL for the back-off after a failure
    sqlite_autoincrement=True,  # a late message must not find a later batch under its id
)

mail_batches = Table(
    "mail_batches",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    # The messages exactly as sent, so that a retry under the key is the same request.
    Column("messages", JSON(none_as_null=True)),
    _count("attempts"),
    Column("reason", Text),
    _moment("created_at_ms", nullable=False),
    _moment("first_attempt_at_ms"),
    _moment("due_at_ms"),
    _count("starts"),  # since the last outcome: more than one means that a sender died
    _count("fence"),  # of the newest claim; an earlier one changes nothing
    Index(None, "state", "due_at_ms"),
    sqlite_autoincrement=True,  # as above, for a late sender
)

notifications = Table(
    "watch_notifications",  # DBOS keeps a table `notifications` of its own in the same file
    metadata,
    Column("id", _Id, primary_key=True),
    Column("watch_id", _Id, ForeignKey("watches.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    # The content of the message, as of the observation.
    Column("facts", JSON, nullable=False),
    _moment("observed_at_ms", nullable=False),
    _moment("created_at_ms", nullable=False),
    _moment("due_at_ms", nullable=False),
    _moment("sent_at_ms"),
    _moment("completed_at_ms"),
    Column("mail_batch_id", _Id, ForeignKey("mail_batches.id"), index=True),
    Column("provider_id", Text, index=True),
    _count("starts"),  # of the dissolved batch
    _count("deferrals"),  # by the transport; a deferred message is sent alone, with its own back-off
    UniqueConstraint("watch_id", "kind", "episode"),
    Index(None, "state", "due_at_ms"),
    Index(None, "sent_at_ms"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("email", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    _moment("created_at_ms", nullable=False),
)

# A person's opt-outs from mail to their own address; only that person can revoke them.
opt_outs = Table(
    "opt_outs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("email", Text, nullable=False),
    Column("section_id", _Id, ForeignKey("sections.id")),  # NULL: all mail
    _moment("created_at_ms", nullable=False),
    Index(
        "uq_opt_outs_all",
        "email",
        unique=True,
        sqlite_where=text("section_id IS NULL"),
        postgresql_where=text("section_id IS NULL"),
    ),
    Index(
        "uq_opt_outs_section",
        "email",
        "section_id",
        unique=True,
        sqlite_where=text("section_id IS NOT NULL"),
        postgresql_where=text("section_id IS NOT NULL"),
    ),
)

mail_events = Table(
    "mail_events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    _moment("received_at_ms", nullable=False),
    Column("provider_id", Text, index=True),
    Column("reason", Text),
)

pauses = Table(
    "pauses",
    metadata,
    Column("name", Text, primary_key=True),
    _moment("until_ms", nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    _moment("created_at_ms", nullable=False),
)

upstreams = Table(
    "upstreams",
    metadata,
    Column("name", Text, primary_key=True),  # a source, or "mail"
    Column("settings_digest", Text, nullable=False),  # of the address, credentials and rate in force
)

alerts = Table(
    "alerts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    _count("episode"),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("command", Text, nullable=False),
    _moment("since_ms", nullable=False),
    # Since when the checks contradict the state; NULL while they agree.
    _moment("pending_since_ms"),
)

alert_notifications = Table(
    "alert_notifications",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("alert", Text, ForeignKey("alerts.name"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("command", Text, nullable=False),
    _moment("since_ms", nullable=False),
    _moment("at_ms", nullable=False),
    _count("attempts"),
    Column("reason", Text),
    _moment("due_at_ms"),
    _moment("sent_at_ms"),
    UniqueConstraint("alert", "channel", "episode", "state"),
    Index(None, "due_at_ms"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True),
    _moment("at_ms", nullable=False),
    Column("by", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("count", Integer, nullable=False),
    Index(None, "subject"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", _Id, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("input", JSON, nullable=False),
    Column("idempotency_key", Text, unique=True),
    Column("webhook_url", Text),
    Column("retry_of", Text, unique=True),
    _count("done"),
    _count("total"),
    Column("message", Text, nullable=False, server_default=""),
    Column("result", JSON(none_as_null=True)),
    Column("error", Text),
    # The last process that claimed the job, and its fence; writes with a lower fence have no effect.
    Column("executor", Text),
    _count("fence"),
    _count("starts"),  # after its process died, since the last completed step
    _moment("created_at_ms", nullable=False),
    _moment("published_at_ms", nullable=False),
    _moment("enqueued_at_ms"),  # in DBOS; from then on no message is needed
    _moment("started_at_ms"),
    _moment("cancel_requested_at_ms"),
    _moment("finished_at_ms"),
    # The phase that is due or in progress: the first has no name; `phase_state` is from the one before.
    Column("phase", Text),
    _count("phase_number"),
    Column("phase_state", JSON(none_as_null=True)),
    _count("phase_version"),
    # A parked job has a `wait_kind`; `wait_ended_by` says how its last wait ended.
    Column("wait_kind", Text),
    _moment("wait_until_ms"),
    Column("wait_ended_by", Text),
    _moment("wait_ended_at_ms"),
    _count("preview_version"),
    Index(None, "state", "profile"),
    Index(None, "wait_until_ms"),
    Index(None, "kind", "state"),
    Index(None, "finished_at_ms"),
    sqlite_autoincrement=True,  # jobs run in this order, also after old ones were purged
)

job_steps = Table(
    "job_steps",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("job_id", Text, ForeignKey("jobs.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    _count("attempts"),
    _count("failures"),  # not counting attempts that died with their process
    Column("error", Text),
    _moment("started_at_ms", nullable=False),
    _moment("due_at_ms"),
    _moment("finished_at_ms"),
    Column("outcome", JSON(none_as_null=True)),  # what a repetition of the job gets; null until the step ends
    UniqueConstraint("job_id", "name"),
)

job_signals = Table(
    "job_signals",
    metadata,
    Column("number", _Id, primary_key=True),
    Column("job_id", Text, ForeignKey("jobs.id"), nullable=False),
    Column("signal_id", Text, nullable=False),  # the caller's, unique for its job
    Column("name", Text, nullable=False),
    Column("preview_version", Integer, nullable=False),
    _moment("received_at_ms", nullable=False),
    _moment("consumed_at_ms"),  # null while it waits for the job to be parked
    UniqueConstraint("job_id", "signal_id"),
)

# Uploaded files; the content is stored under `uploads/{id}/`.
uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("scan", Text, nullable=False),
    Column("idempotency_key", Text, unique=True),
    Column("created_at_ms", BigInteger, nullable=False, index=True),
    _moment("stored_at_ms"),  # NULL while the content is being stored or deleted
)

upload_claims = Table(
    "upload_claims",
    metadata,
    Column("upload_id", Text, ForeignKey("uploads.id"), primary_key=True),
    Column("job_id", Text, primary_key=True),  # no foreign key: a claim ends when its job is purged
)

job_callbacks = Table(
    "job_callbacks",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id"), primary_key=True),
    Column("url", Text, nullable=False),
    Column("body", Text, nullable=False),  # as sent, so that a retry sends the same
    _count("attempts"),
    Column("error", Text),
    _moment("due_at_ms"),
    _moment("ended_at_ms"),
    Index(None, "due_at_ms"),
)

payment_events = Table(
    "payment_events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("session_id", Text, index=True),
    Column("decision", Text, nullable=False),
    Column("reason", Text),
    _moment("received_at_ms", nullable=False),
)

payments = Table(
    "payments",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("payment", Text),  # the provider's id, which a refund names
    Column("job_id", Text),  # no foreign key: jobs are purged, payments are not
    _moment("created_at_ms", nullable=False),
    Column("failure_reason", Text),
    _moment("failed_at_ms"),
    Column("refund_id", Text),
    _moment("refunded_at_ms"),
    Column("amount", BigInteger),  # in the currency's smallest unit
    Column("currency", Text),
    Column("refund_state", Text),
    Column("refund_reason", Text),  # why it failed
    _moment("refund_made_at_ms"),
    _moment("refund_due_at_ms"),  # the next query of its state at the provider
    _moment("resolved_at_ms"),  # an operator has resolved a failed refund
    _count("refund_keys_used"),
    Index(None, "payment"),
    Index(None, "failed_at_ms"),
    Index(None, "refund_due_at_ms"),
    Index(None, "refund_state"),
)

section_daily_rollups = Table(
    "section_daily_rollups",
    metadata,
    Column("section_id", _Id, ForeignKey("sections.id"), primary_key=True),
    Column("day", Integer, primary_key=True),  # since the epoch, UTC
    Column("openings", Integer, nullable=False),
    Column("open_ms", BigInteger, nullable=False),
    Column("polled_ms", BigInteger, nullable=False),
    Index(None, "day"),
)

credit_accounts = Table(
    "credit_accounts",
    metadata,
    Column("name", Text, primary_key=True),
    _moment("created_at_ms", nullable=False),
)

# Triggers in the migration reject updates and deletes of these two.
credit_transfers = Table(
    "credit_transfers",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("account", Text, ForeignKey("credit_accounts.name"), nullable=False),
    Column("entry_type", Text, nullable=False),
    Column("credits", BigInteger, nullable=False),
    Column("job_id", Text),  # no foreign key: jobs are purged, the ledger is not
    Column("idempotency_key", Text),
    Column("reason", Text),
    _moment("at_ms", nullable=False),
    UniqueConstraint("account", "idempotency_key"),
    UniqueConstraint("job_id", "entry_type"),
    Index(None, "account", "id"),
)

credit_entries = Table(
    "credit_entries",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("transfer_id", _Id, ForeignKey("credit_transfers.id"), nullable=False),
    Column("account", Text, nullable=False),
    Column("account_type", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),  # after this entry
    UniqueConstraint("transfer_id", "account_type"),
    Index(None, "account", "account_type", "id"),
    CheckConstraint("balance >= 0 OR account_type = 'issued'", name="ck_credit_entries_balance"),
)

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("name", Text, primary_key=True),
    _moment("expires_at_ms", nullable=False),
)
