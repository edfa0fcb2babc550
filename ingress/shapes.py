"""The JSON Schemas of what `ingress.representation` and `ingress.problems` show, by name.

Every member is always there; clients are to ignore members that they do not know.
"""

from __future__ import annotations

from enum import StrEnum

from domain.job import JobState, Profile, StepState
from domain.money import EntryType
from domain.notification import NotificationState
from domain.run import RunState
from domain.section import Stagger
from domain.watch import MAX_SEATS, NotificationKind
from ingress import fields
from ingress.rules import Schema
from operations.watches import Listing

_RUN_ID = "0d4b3c6f1f6a4f0c9d0e5a7b8c9d0e1f"
_NUMBER = {"type": "integer", "minimum": 0, "examples": [1]}
_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time", "examples": ["2026-01-15T09:30:00.000Z"]}
_STATUS = {"type": "string", "enum": ["healthy", "degraded", "unhealthy"]}


def ref(name: str) -> Schema:
    """What refers to the schema `name`."""
    return {"$ref": f"#/components/schemas/{name}"}


def page_of(name: str) -> Schema:
    """One page of a listing of `name`."""
    cursor = _or_null(_TEXT, "What to give as cursor for the next page; null on the last.")
    return _with(items={"type": "array", "items": ref(name)}, next_cursor=cursor)


def status(*words: str) -> Schema:
    """A status alone, which is one of `words`."""
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
    "cancel_asked_at": _or_null(_MOMENT, "null unless somebody asked for its end."),
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
    purpose=_named(EntryType),
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
        settled_at=_or_null(_MOMENT, "null until nothing more will happen to it."),
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
