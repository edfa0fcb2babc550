"""The response models of the API: each resource's members once, with the function that fills them.

Times are ISO 8601 in UTC with a Z, None is null, unknown is never zero. Every member is always present;
clients must ignore unknown members.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.history import HistoryEntry
from domain.job import JobRecord, JobState, Profile, StepState, WaitKind
from domain.money import Balance, EntryType, Transfer
from domain.notification import NotificationState
from domain.observation import Details
from domain.run import Run, RunState
from domain.section import SectionKey, Stagger
from domain.section_state import SectionState
from domain.watch import NotificationKind
from ingress.context import WebContext
from ingress.pagination import Page
from operations.inputs import (
    Account,
    JobId,
    JobKindName,
    MaxWaitlist,
    MinSeats,
    RunId,
    SectionNumber,
    SourceName,
    Term,
)
from operations.watches import Listing, listing, seen_at
from store.notifications.deliveries import StoredNotification
from store.sections.search import FoundSection
from store.watches import StoredWatch

M = TypeVar("M", bound=Struct)
Count = Annotated[int, Meta(ge=0, examples=[1])]
Time = Annotated[str, Meta(examples=["2026-01-15T09:30:00.000Z"], extra_json_schema={"format": "date-time"})]
Url = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
UNKNOWN = Meta(description="null if unknown.")
NEVER = Meta(description="null until it happens.")


class TriggeredRun(Struct, kw_only=True):
    """A run of section checks that was triggered."""

    run_id: RunId
    trigger: Annotated[
        str,
        Meta(
            description="The origin; `…-check` is a manual check of one section.",
            examples=["http"],
        ),
    ]
    stagger: Stagger
    slot: Annotated[Time, Meta(description="The time at which the run was due.")]
    state: RunState
    status_url: Url


class RequestedPolls(Struct, kw_only=True):
    """Polls of catalogs that were requested."""

    due: Annotated[int, Meta(description="The number of terms that are due.", ge=0)]


class RunStatus(TriggeredRun, kw_only=True):
    """A run of section checks and its counts."""

    reason: Annotated[str | None, Meta(description="Why it was skipped, failed, or deferred sections.")]
    sections: Count
    checked: Count
    failed: Count
    deferred: Count
    changed: Count
    notifications: Count
    created_at: Time
    started_at: Annotated[Time | None, NEVER]
    finished_at: Annotated[Time | None, Meta(description="null until each section was checked or given up.")]


class Seats(Struct, kw_only=True):
    """The seats and the instructor of a section at one time."""

    open_seats: Annotated[Count | None, UNKNOWN]
    capacity: Annotated[Count | None, UNKNOWN]
    instructor: Annotated[str | None, Meta(description="null if unknown, empty if unassigned.")]


class HistoryItem(Seats, kw_only=True):
    """One change in the history of a section."""

    observed_at: Time


class Facts(Seats, kw_only=True):
    """What a catalog stated about a section."""

    course: str
    title: str
    location: str
    meeting_times: str


class Current(Facts, kw_only=True):
    """The current state of a section."""

    observed_at: Time
    retired: bool


class SectionStatus(Facts, kw_only=True):
    """The current state of a section and its counts."""

    source: SourceName
    term: Term
    section: SectionNumber
    observed_at: Annotated[Time | None, Meta(description="null until the section was first observed.")]
    retired: bool
    openings: Count
    assignments: Count
    misses: Count
    retirements: Count


class SectionSummary(SectionStatus, kw_only=True):
    """A section in a listing, with the number of its active watches."""

    watches: Count


class Section(SectionStatus, kw_only=True):
    """A section with its history, newest first."""

    history: list[HistoryItem]


class Watch(Struct, kw_only=True):
    """A watch and the current state of its section."""

    id: Count
    email: str
    source: SourceName
    term: Term
    section: SectionNumber
    kinds: list[NotificationKind]
    min_seats: MinSeats
    unreserved_only: Annotated[bool, Meta(description="Seats count only if no group has reserved them.")]
    max_waitlist: Annotated[
        MaxWaitlist | None, Meta(description="A place counts if at most so many wait; null for any number.")
    ]
    created_at: Time
    paused_until: Annotated[
        Time | None, Meta(description="No mail is sent before; null if it was never paused.")
    ]
    listing: Listing
    current: Annotated[
        Current | None,
        Meta(description="null until the section was first observed in its catalog."),
    ]


class RejectedLine(Struct):
    """A rejected line of a CSV file."""

    line: Count
    error: str


class Imported(Struct):
    """The result of an import."""

    created: Count
    existing: Count
    rejected: list[RejectedLine]


class Notification(Struct, kw_only=True):
    """A notification from its detection to its delivery, with the facts in its message."""

    id: Count
    watch_id: Count
    kind: NotificationKind
    episode: Count
    source: SourceName
    term: Term
    section: SectionNumber
    email: str
    state: NotificationState
    reason: Annotated[str | None, Meta(description="Why it was not delivered.")]
    observed_at: Time
    created_at: Time
    due_at: Time
    sent_at: Annotated[Time | None, Meta(description="null until the mail transport accepted it.")]
    completed_at: Annotated[Time | None, Meta(description="null until its state is final.")]
    provider_id: Annotated[str | None, Meta(description="The id of the message at the mail provider.")]
    facts: Facts


class Progress(Struct):
    """The progress of a job: `done` of `total`."""

    done: Count
    total: Count
    message: str


class Step(Struct, kw_only=True):
    """A step of a job."""

    name: str
    state: StepState
    attempts: Count
    started_at: Time
    due_at: Annotated[Time | None, Meta(description="When it continues, while it waits.")]
    finished_at: Annotated[Time | None, NEVER]
    error: Annotated[str | None, Meta(description="Why its last attempt failed, or why it waits.")]


class WaitingFor(Struct, kw_only=True):
    """What a parked job waits for."""

    kind: WaitKind
    until: Annotated[Time, Meta(description="Without an answer the job is cancelled then.")]
    preview_version: Annotated[Count, Meta(description="The version that a signal must name.")]


class JobSummary(Struct, kw_only=True):
    """A job in a listing."""

    id: JobId
    kind: JobKindName
    queue: Profile
    state: JobState
    progress: Progress
    waiting_for: Annotated[
        WaitingFor | None, Meta(description="null unless the job is parked until a person answers.")
    ]
    result: Annotated[dict[str, Any] | None, Meta(description="null unless it has succeeded.")]
    error: Annotated[str | None, Meta(description="Why it failed or was cancelled.")]
    retry_of: Annotated[str | None, Meta(description="The job that this one retries.")]
    created_at: Time
    started_at: Annotated[Time | None, NEVER]
    cancel_requested_at: Annotated[
        Time | None, Meta(description="null unless its cancellation was requested.")
    ]
    finished_at: Annotated[Time | None, NEVER]
    status_url: Url
    artifact_url: Annotated[Url | None, Meta(description="null if the result has no artifact.")]


class Job(JobSummary, kw_only=True):
    """A job with its input and its steps."""

    input: Annotated[dict[str, Any], Meta(description="The submitted input.")]
    steps: list[Step]


class CreditTransfer(Struct, kw_only=True):
    """An entry of the credit ledger."""

    id: Count
    account: Account
    entry_type: EntryType
    credits: Count
    at: Time
    job_id: Annotated[str | None, Meta(description="The job that caused it; null for grants.")]
    idempotency_key: Annotated[str | None, Meta(description="The key of a grant; null for jobs.")]
    reason: Annotated[str | None, Meta(description="The reason, if one was given.")]


class AccountBalance(Struct):
    """The balances of an account."""

    available: Count
    held: Count
    spent: Count


class CreditAccount(Page[CreditTransfer], frozen=True, kw_only=True):
    """An account and one page of its ledger, newest first."""

    account: Account
    balance: AccountBalance


class Liveness(Struct):
    """The process responds."""

    status: Literal["alive"]


class Readiness(Struct):
    """Whether every dependency that requests need is available."""

    status: Literal["healthy", "degraded", "unhealthy"]


class Health(Readiness):
    """The status of the system, and the value of each check by name; without a token `checks` is empty."""

    checks: dict[str, Any]


class Recorded(Struct):
    """Whether the event was new."""

    recorded: Annotated[bool, Meta(description="false for a repeated event.")]


class FieldProblem(Struct):
    """The problem with one field."""

    field: str
    message: str


class SectionMatch(Struct):
    """A section that its catalog lists."""

    source: str
    term: str
    section: str
    course: str
    title: str


class Problem(Struct, kw_only=True):
    """A problem (RFC 9457); `errors` names each invalid field, for statuses 400 and 422.

    `matches` are the nearest listed sections, where a polled catalog does not list the given one.
    """

    type: Literal["about:blank"]
    title: Annotated[str, Meta(examples=["Unprocessable Content"])]
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(examples=["Validation failed: email."])]
    errors: list[FieldProblem] | UnsetType = UNSET
    matches: list[SectionMatch] | UnsetType = UNSET
    signature: Annotated[str, Meta(description="The virus in an upload.")] | UnsetType = UNSET


def moment(at: datetime | None) -> str | None:
    """Format `at`, such as 2026-01-15T09:30:00.000Z."""
    if at is None:
        return None
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def run(found: Run, context: WebContext) -> RunStatus:
    """Return a run with its counts."""
    return _model(RunStatus, found, run_id=found.id, status_url=_run_url(found, context))


def triggered(found: Run, context: WebContext) -> TriggeredRun:
    """Return the response to a run's trigger."""
    return _model(TriggeredRun, found, run_id=found.id, status_url=_run_url(found, context))


def watch(stored: StoredWatch, found: Listing | None = None) -> Watch:
    """Return a watch; `current` is null before the first observation. `found` is a result just learned."""
    wanted, state = stored.watch, stored.section
    return _model(
        Watch,
        stored,
        email=wanted.email,
        **_identity(wanted.key),
        kinds=list(wanted.kinds),
        min_seats=wanted.min_seats,
        unreserved_only=wanted.unreserved_only,
        max_waitlist=wanted.max_waitlist,
        listing=found or listing(state),
        current=None if seen_at(state) is None else _model(Current, state, **_observed(state)),
    )


def section_summary(found: FoundSection) -> SectionSummary:
    """Return a section as in listings, with the number of its active watches."""
    state = found.state
    return _model(SectionSummary, state, **_identity(state.key), **_observed(state), watches=found.watches)


def section(state: SectionState, history: Iterable[HistoryEntry]) -> Section:
    """Return a section's state and its history, newest first."""
    entries = [_model(HistoryItem, entry) for entry in history]
    return _model(Section, state, **_identity(state.key), **_observed(state), history=entries)


def notification(stored: StoredNotification) -> Notification:
    """Return a notification with its timestamps, and the facts in its message."""
    notification = stored.notification
    names = ("id", "watch_id", "kind", "episode", "email")
    return _model(
        Notification,
        stored,
        **{name: getattr(notification, name) for name in names},
        **_identity(notification.key),
        observed_at=moment(notification.observed_at),
        facts=_model(Facts, notification, **_details(notification.details)),
    )


def job(found: JobRecord, context: WebContext) -> Job:
    """Return a job with its input and its steps."""
    steps = [_model(Step, step) for step in found.steps]
    return _model(Job, found, **_job(found, context), input=found.input, steps=steps)


def job_summary(found: JobRecord, context: WebContext) -> JobSummary:
    """Return a job as in listings."""
    return _model(JobSummary, found, **_job(found, context))


def credit_account(name: str, balance: Balance, ledger: Page[CreditTransfer]) -> CreditAccount:
    """Return an account's balances, and a page of its ledger."""
    return CreditAccount(
        account=name,
        balance=_model(AccountBalance, balance),
        items=ledger.items,
        next_cursor=ledger.next_cursor,
    )


def credit_transfer(found: Transfer) -> CreditTransfer:
    """Return one ledger entry."""
    return _model(CreditTransfer, found)


def _model(model: type[M], source: object, /, **members: Any) -> M:
    """Build a `model` from `members` and, for the others, the attributes of `source`."""
    for name in model.__struct_fields__:
        if name not in members:
            value = getattr(source, name)
            members[name] = moment(value) if isinstance(value, datetime) else value
    return model(**members)


def _run_url(found: Run, context: WebContext) -> str:
    return context.address(f"/cron/runs/{found.id}")


def _identity(key: SectionKey) -> dict[str, str]:
    return {"source": key.source, "term": key.term, "section": key.number}


def _observed(state: SectionState) -> dict[str, str | None]:
    return {"observed_at": moment(seen_at(state)), **_details(state.details)}


def _details(details: Details) -> dict[str, str]:
    return {name: getattr(details, name) for name in ("course", "title", "location", "meeting_times")}


def _job(found: JobRecord, context: WebContext) -> dict[str, Any]:
    url = context.address(f"/jobs/{found.id}")
    has_artifact = found.result is not None and "artifact" in found.result
    return {
        "queue": found.profile,
        "progress": _model(Progress, found.progress),
        "waiting_for": None if found.waiting_for is None else _model(WaitingFor, found.waiting_for),
        "status_url": url,
        "artifact_url": f"{url}/artifact" if has_artifact else None,
    }
