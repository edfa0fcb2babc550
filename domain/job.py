"""Durable jobs: multi-step work that survives a crash at any instruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from domain.text import HEX_ID, Identifier

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]
StepOutcome: TypeAlias = JsonObject
"""How a step ended: {"value": …}, {"failed": reason, "spent": bool} or {"cancelled": True}."""
JOB_ID = Identifier(HEX_ID, "the id of a job")
JOB_KIND = Identifier("[a-z][a-z0-9_]{0,31}", "the name of a job kind")


class JobState(StrEnum):
    """State of a job; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # for a person, for a breaker, or for the next attempt at a step
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self in FINAL


class WaitKind(StrEnum):
    """What a parked job waits for."""

    CONFIRMATION = "confirmation"
    MAPPING = "mapping"
    LOGIN = "login"


class SignalName(StrEnum):
    """A person's answer to a job that waits."""

    CONFIRM = "confirm"
    REJECT = "reject"


class WaitEnd(StrEnum):
    """How a wait ended: by a signal, by its time limit, or by cancellation."""

    CONFIRM = "confirm"
    REJECT = "reject"
    TIMEOUT = "timeout"
    CANCEL = "cancel"


FINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class Profile(StrEnum):
    """The workers that execute a kind of job; the profiles never wait for each other."""

    REALTIME = "realtime"
    BATCH = "batch"


class StepState(StrEnum):
    """State of a step."""

    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class NewJob:
    """A request for a job. A second request with the same `idempotency_key` returns the first job."""

    kind: str
    profile: Profile
    input: JsonObject
    idempotency_key: str | None = None
    webhook_url: str | None = field(default=None, repr=False)  # may hold a caller's secret
    retry_of: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a job for display: `done` of `total`."""

    done: int = 0
    total: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class WaitingFor:
    """What a parked job waits for, until when, and the version that a signal must name."""

    kind: WaitKind
    until: datetime
    preview_version: int


@dataclass(frozen=True, slots=True)
class WaitFor:
    """What a phase returns to park its job: the phase `phase` continues after a confirmation.

    Shape: the job is cancelled after `limit`. `state` is what the phase receives: small JSON of `version`.
    """

    kind: WaitKind
    phase: str
    limit: timedelta
    state: JsonObject = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, slots=True)
class JobPhase:
    """The phase of a job that is due or in progress.

    Shape: the first phase has the number 0 and no name; `state` of `version` is from the phase before it,
    `ended_by` is how the wait between them ended, and `preview_version` the version that was confirmed.
    """

    number: int = 0
    name: str | None = None
    state: JsonObject = field(default_factory=dict)
    version: int = 0
    ended_by: WaitEnd | None = None
    preview_version: int = 0


def workflow_id(job_id: str, phase: int) -> str:
    """Return the id under which the engine runs a phase; the first has the job's id."""
    return f"{job_id}-{phase}" if phase else job_id


def job_id_of(workflow: str) -> str:
    """Return the job whose phase has this workflow id."""
    return workflow.partition("-")[0]


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The current state of one step; `error` is that of its last attempt if it failed."""

    name: str
    state: StepState
    attempts: int
    started_at: datetime
    finished_at: datetime | None = None
    due_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """The current state of one job.

    Shape: `number` is its place in the order of submission; `error` is why it failed or was cancelled.
    """

    number: int
    id: str
    kind: str
    profile: Profile
    state: JobState
    input: JsonObject
    created_at: datetime
    progress: Progress = Progress()
    phase: JobPhase = JobPhase()
    waiting_for: WaitingFor | None = None
    steps: Sequence[StepRecord] = field(default_factory=tuple)
    result: JsonObject | None = None
    error: str | None = None
    retry_of: str | None = None
    idempotency_key: str | None = None
    webhook_url: str | None = field(default=None, repr=False)  # may hold a caller's secret
    started_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    finished_at: datetime | None = None
