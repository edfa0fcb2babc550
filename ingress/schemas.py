"""The JSON representation of what the API returns, and its JSON Schemas by name.

Times are ISO 8601 in UTC with a Z, None is null, unknown is never zero. Every member is always present;
clients must ignore unknown members.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum

from domain.history import HistoryEntry
from domain.job import JobRecord, JobState, Profile, StepRecord, StepState
from domain.money import Balance, EntryType, Transfer
from domain.notification import NotificationState
from domain.observation import Details
from domain.run import Run, RunState
from domain.section import SectionKey, Stagger
from domain.section_state import SectionState
from domain.watch import MAX_SEATS, NotificationKind
from ingress import fields
from ingress.context import WebContext
from ingress.rules import Schema
from operations.watches import Listing, listing, seen_at
from store.notifications.deliveries import StoredNotification
from store.sections.search import FoundSection
from store.watches import StoredWatch

_RUN_ID = "0d4b3c6f1f6a4f0c9d0e5a7b8c9d0e1f"
_NUMBER = {"type": "integer", "minimum": 0, "examples": [1]}
_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time", "examples": ["2026-01-15T09:30:00.000Z"]}
_STATUS = {"type": "string", "enum": ["healthy", "degraded", "unhealthy"]}


def ref(name: str) -> Schema:
    """Return a reference to the schema `name`."""
    return {"$ref": f"#/components/schemas/{name}"}


def page_of(name: str) -> Schema:
    """Return the schema of one page of a listing of `name`."""
    cursor = _or_null(_TEXT, "What to give as cursor for the next page; null on the last.")
    return _with(items={"type": "array", "items": ref(name)}, next_cursor=cursor)


def status(*words: str) -> Schema:
    """Return the schema of a status, one of `words`."""
    return _with(status={"type": "string", "enum": list(words)})


def _with(**members: Schema) -> Schema:
    return {"type": "object", "properties": members, "required": list(members)}


def _or_null(schema: Schema, description: str = "null where unknown.") -> Schema:
    return {**schema, "type": [schema["type"], "null"], "description": description}


def _named(choices: type[StrEnum]) -> Schema:
    return {"type": "string", "enum": list(choices)}


_IDENTITY = {"source": fields.source.schema, "term": fields.term.schema, "section": fields.section.schema}
_SEEN = {
    "open_seats": _or_null(_NUMBER),
    "capacity": _or_null(_NUMBER),
    "instructor": _or_null(_TEXT, "null where unknown, empty where nobody is assigned."),
}
_DETAILS = dict.fromkeys(("course", "title", "location", "meeting_times"), _TEXT)
_CURRENT = _SEEN | _DETAILS | {"observed_at": _MOMENT, "retired": {"type": "boolean"}}
_SECTION = {
    **_IDENTITY,
    **_CURRENT,
    "observed_at": _or_null(_MOMENT, "null until it was first seen."),
    **dict.fromkeys(("openings", "assignments", "misses", "retirements"), _NUMBER),
}
_TRIGGERED = {
    "run_id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "examples": [_RUN_ID]},
    "trigger": _TEXT
    | {"description": "What asked for the run; `…-check` is of one section, by hand.", "examples": ["http"]},
    "stagger": _named(Stagger),
    "slot": _MOMENT | {"description": "The time for which the run was due."},
    "state": _named(RunState),
    "status_url": {
        "type": "string",
        "format": "uri",
        "examples": [f"https://rollcall.example.edu/cron/runs/{_RUN_ID}"],
    },
}
_JOB = {
    "id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "examples": [_RUN_ID]},
    "kind": fields.job_kind.schema,
    "queue": _named(Profile),
    "state": _named(JobState),
    "progress": _with(done=_NUMBER, total=_NUMBER, message=_TEXT),
    "result": {"type": ["object", "null"], "description": "null unless it has succeeded."},
    "error": _or_null(_TEXT, "Why it failed or was cancelled, for people."),
    "retry_of": _or_null(_TEXT, "The job that this one tries again."),
    "created_at": _MOMENT,
    "started_at": _or_null(_MOMENT, "null until it starts."),
    "cancel_requested_at": _or_null(_MOMENT, "null unless somebody asked for its end."),
    "finished_at": _or_null(_MOMENT, "null until it has ended."),
    "status_url": {"type": "string", "format": "uri"},
    "artifact_url": {
        "type": ["string", "null"],
        "format": "uri",
        "description": "null where the result has no artifact.",
    },
}
_STEP = _with(
    name=_TEXT,
    state=_named(StepState),
    attempts=_NUMBER,
    started_at=_MOMENT,
    due_at=_or_null(_MOMENT, "When it goes on, while it waits."),
    finished_at=_or_null(_MOMENT, "null until it has ended."),
    error=_or_null(_TEXT, "Why its last attempt failed, or why it waits."),
)
_TRANSFER = _with(
    id=_NUMBER,
    account=fields.account.schema,
    entry_type=_named(EntryType),
    credits=_NUMBER,
    at=_MOMENT,
    job_id=_or_null(_TEXT, "The job that moved them; null for grants."),
    idempotency_key=_or_null(_TEXT, "The key of a grant; null for what jobs do."),
    reason=_or_null(_TEXT, "Why, where somebody said so."),
)
SCHEMAS: dict[str, Schema] = {
    "JobSummary": _with(**_JOB),
    "Job": _with(
        **_JOB,
        input={"type": "object", "description": "As it was given."},
        steps={"type": "array", "items": _STEP},
    ),
    "CreditTransfer": _TRANSFER,
    "CreditAccount": _with(
        account=fields.account.schema,
        balance=_with(available=_NUMBER, held=_NUMBER, spent=_NUMBER),
        items={"type": "array", "items": ref("CreditTransfer")},
        next_cursor=_or_null(_TEXT, "What to give as cursor for the next page; null on the last."),
    ),
    "TriggeredRun": _with(**_TRIGGERED),
    "Run": _with(
        **_TRIGGERED,
        reason=_or_null(_TEXT, "Why it was skipped or failed, or could not check all sections."),
        **dict.fromkeys(("sections", "checked", "failed", "deferred", "changed", "notifications"), _NUMBER),
        created_at=_MOMENT,
        started_at=_or_null(_MOMENT, "null until it starts."),
        finished_at=_or_null(_MOMENT, "null until every section was checked or given up on."),
    ),
    "Watch": _with(
        id=_NUMBER,
        email={"type": "string"},
        **_IDENTITY,
        kinds={"type": "array", "items": _named(NotificationKind)},
        min_seats={"type": "integer", "minimum": 1, "maximum": MAX_SEATS},
        created_at=_MOMENT,
        paused_until=_or_null(_MOMENT, "No mail leaves for it before; null where it was never paused."),
        listing=_named(Listing),
        current={
            "description": "null until the section was first seen; a catalog without it shows nothing.",
            "anyOf": [_with(**_CURRENT), {"type": "null"}],
        },
    ),
    "Imported": _with(
        created=_NUMBER,
        existing=_NUMBER,
        rejected={"type": "array", "items": _with(line=_NUMBER, error=_TEXT)},
    ),
    "SectionSummary": _with(**_SECTION, watches=_NUMBER),
    "Section": _with(
        **_SECTION,
        history={"type": "array", "items": _with(observed_at=_MOMENT, **_SEEN)},
    ),
    "Notification": _with(
        id=_NUMBER,
        watch_id=_NUMBER,
        kind=_named(NotificationKind),
        episode=_NUMBER,
        **_IDENTITY,
        email=_TEXT,
        state=_named(NotificationState),
        reason=_or_null(_TEXT, "Why it was not delivered."),
        observed_at=_MOMENT,
        created_at=_MOMENT,
        due_at=_MOMENT,
        sent_at=_or_null(_MOMENT, "null until the mail transport took it."),
        completed_at=_or_null(_MOMENT, "null until nothing more will happen to it."),
        provider_id=_or_null(_TEXT, "The mail provider's name for the letter."),
        facts=_with(**_SEEN, **_DETAILS),
    ),
    "Health": _with(
        status=_STATUS,
        checks={"type": "object", "description": "What was found, by check; empty without a token."},
    ),
    "Event": {
        **_with(type=_TEXT | {"examples": ["email.delivered"]}, created_at=_MOMENT),
        "description": "An event of Resend, https://resend.com/docs/webhooks.",
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457; `errors` names each bad field, for statuses 400 and 422.",
        "properties": {
            "type": {"type": "string", "const": "about:blank"},
            "title": _TEXT | {"examples": ["Unprocessable Content"]},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": _TEXT | {"examples": ["Not as it should be: email."]},
            "errors": {"type": "array", "items": _with(field=_TEXT, message=_TEXT)},
        },
        "required": ["type", "title", "status", "detail"],
    },
}


Shown = dict[str, object]


def moment(at: datetime | None) -> str | None:
    """Format `at`, such as 2026-01-15T09:30:00.000Z."""
    return (
        None
        if at is None
        else f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    )


def run(found: Run, surfaces: WebContext) -> Shown:
    """Serialize a run with its counts."""
    times = {name: moment(getattr(found, name)) for name in ("created_at", "started_at", "finished_at")}
    counts = ("sections", "checked", "failed", "deferred", "changed", "notifications")
    return {
        **triggered(found, surfaces),
        "reason": found.reason,
        **{name: getattr(found, name) for name in counts},
        **times,
    }


def triggered(found: Run, surfaces: WebContext) -> Shown:
    """Serialize the response to a run's trigger."""
    return {
        "run_id": found.id,
        "trigger": found.trigger,
        "stagger": found.stagger,
        "slot": moment(found.slot),
        "state": found.state,
        "status_url": surfaces.address(f"/cron/runs/{found.id}"),
    }


def watch(stored: StoredWatch, found: Listing | None = None) -> Shown:
    """Serialize a watch; `current` is null before the first observation. `found` is a result just learned."""
    wanted, state = stored.watch, stored.section
    return {
        "id": stored.id,
        "email": wanted.email,
        **_identity(wanted.key),
        "kinds": wanted.kinds,
        "min_seats": wanted.min_seats,
        "created_at": moment(stored.created_at),
        "paused_until": moment(stored.paused_until),
        "listing": found or listing(state),
        "current": None if seen_at(state) is None else _current(state),
    }


def section_summary(found: FoundSection) -> Shown:
    """Serialize a section as in listings, with the number of its active watches."""
    return {
        **_identity(found.state.key),
        **_current(found.state),
        **_counts(found.state),
        "watches": found.watches,
    }


def section(state: SectionState, history: Iterable[HistoryEntry]) -> Shown:
    """Serialize a section's state and its history, newest first."""
    return {
        **_identity(state.key),
        **_current(state),
        **_counts(state),
        "history": [_sighting(each) for each in history],
    }


def notification(stored: StoredNotification) -> Shown:
    """Serialize a notification with its timestamps, and the facts in its message."""
    notification = stored.notification
    times = {
        name: moment(getattr(stored, name)) for name in ("created_at", "due_at", "sent_at", "completed_at")
    }
    return {
        "id": notification.id,
        "watch_id": notification.watch_id,
        "kind": notification.kind,
        "episode": notification.episode,
        **_identity(notification.key),
        "email": notification.email,
        "state": stored.state,
        "reason": stored.reason,
        "observed_at": moment(notification.observed_at),
        **times,
        "provider_id": stored.provider_id,
        "facts": _facts(
            notification.open_seats, notification.capacity, notification.instructor, notification.details
        ),
    }


def job(found: JobRecord, surfaces: WebContext) -> Shown:
    """Serialize a job with its input and its steps."""
    steps = [_step(step) for step in found.steps]
    return {**job_summary(found, surfaces), "input": found.input, "steps": steps}


def job_summary(found: JobRecord, surfaces: WebContext) -> Shown:
    """Serialize a job as in listings."""
    times = ("created_at", "started_at", "cancel_requested_at", "finished_at")
    has_artifact = found.result is not None and "artifact" in found.result
    address = surfaces.address(f"/jobs/{found.id}")
    return {
        "id": found.id,
        "kind": found.kind,
        "queue": found.profile,
        "state": found.state,
        "progress": asdict(found.progress),
        "result": found.result,
        "error": found.error,
        "retry_of": found.retry_of,
        **{name: moment(getattr(found, name)) for name in times},
        "status_url": address,
        "artifact_url": f"{address}/artifact" if has_artifact else None,
    }


def credit_account(name: str, balance: Balance, ledger: Iterable[Transfer]) -> Shown:
    """Serialize an account's balances, and a part of its ledger."""
    return {"account": name, "balance": asdict(balance), "items": [credit_transfer(each) for each in ledger]}


def credit_transfer(found: Transfer) -> Shown:
    """Serialize one ledger entry."""
    return {**asdict(found), "at": moment(found.at)}


def _step(step: StepRecord) -> Shown:
    times = {name: moment(getattr(step, name)) for name in ("started_at", "due_at", "finished_at")}
    return {
        "name": step.name,
        "state": step.state,
        "attempts": step.attempts,
        **times,
        "error": step.error,
    }


def _identity(key: SectionKey) -> Shown:
    return {"source": key.source, "term": key.term, "section": key.number}


def _counts(state: SectionState) -> Shown:
    return {name: getattr(state, name) for name in ("openings", "assignments", "misses", "retirements")}


def _current(state: SectionState) -> Shown:
    return {
        **_facts(state.open_seats, state.capacity, state.instructor, state.details),
        "observed_at": moment(seen_at(state)),
        "retired": state.retired,
    }


def _facts(open_seats: int | None, capacity: int | None, instructor: str | None, details: Details) -> Shown:
    return {"open_seats": open_seats, "capacity": capacity, "instructor": instructor, **asdict(details)}


def _sighting(seen: HistoryEntry) -> Shown:
    return {
        "observed_at": moment(seen.observed_at),
        "open_seats": seen.open_seats,
        "capacity": seen.capacity,
        "instructor": seen.instructor,
    }
