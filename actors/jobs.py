"""Queues `realtime`, `batch`, `cancel` and `callbacks`, consumed by the role `rollcall jobs`.

A message names a job, whose row decides: a duplicate, late or lost one (the reconciler republishes it)
changes nothing. Each profile has its own queue, so neither waits for the other.

HTTP and the command line share submission, cancellation and retry.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from actors.registry import ActorSpec, actor
from actors.services import JobEngine, Services
from domain.errors import ConflictError, InvalidInputError, PermanentError, RejectedError, RollcallError
from domain.job import JobRecord, JobState, JsonObject, NewJob, Profile, workflow_id
from domain.retry import Backoff
from store.audit import AuditEntry
from store.jobs.callbacks import JobCallback
from store.jobs.waits import Signal
from workflows.kind import JobKind

LEASE = timedelta(minutes=2)  # exceeds the limit of one request: 10 s plus DNS resolution
MAX_CALLBACK_ATTEMPTS = 12  # over about three and a half hours
_BACKOFF = Backoff(first_seconds=10, last_seconds=3600)
_log = logging.getLogger(__name__)


def _start(services: Services, job_id: str) -> JobRecord | None:
    """Enqueue the job in the engine, which orders jobs by their number; return it if it is due."""
    job = services.store.jobs.get(job_id)
    if job is None or job.state.is_final or job.waiting_for is not None:
        return None
    _engine(services).start(job)
    services.store.jobs.mark_enqueued(job_id, services.clock.now(), job.phase.number)
    return job


def start_job(services: Services, job_id: str) -> None:
    """Start the job."""
    _start(services, job_id)


START: dict[Profile, ActorSpec[[str]]] = {
    Profile.REALTIME: actor(name="jobs.start", queue=Profile.REALTIME.value)(start_job),
    Profile.BATCH: actor(name="jobs.start_batch", queue=Profile.BATCH.value, priority=1)(start_job),
}


@actor(name="jobs.cancel", queue="cancel")
def cancel_job(services: Services, job_id: str) -> None:
    """Run a queued job at once so that it ends; a running job sees the cancellation mark."""
    if (job := _start(services, job_id)) is not None:
        _engine(services).start_now(workflow_id(job_id, job.phase.number))


# On the queue of cancellations, which are as quick: no backlog of new jobs delays an answer.
@actor(name="jobs.resume", queue="cancel")
def resume_job(services: Services, job_id: str) -> None:
    """Start the phase of a job that follows a wait."""
    _start(services, job_id)


# Its own queue and, in the role, its own thread: a slow receiver delays no job.
@actor(name="jobs.tell", queue="callbacks")
def send_callbacks(services: Services) -> None:
    """Send the due callbacks about ended jobs until none is left."""
    while callback := services.store.job_callbacks.claim(services.clock.now(), lease=LEASE):
        _send(services, callback)


def _send(services: Services, callback: JobCallback) -> None:
    callbacks = services.store.job_callbacks
    if services.jobs.post is None:
        raise PermanentError("this process sends no callbacks")
    try:
        services.jobs.post(callback.url, callback.job_id, callback.body)
    except RollcallError as error:
        now, reason = services.clock.now(), f"{type(error).__name__}: {error}"
        _log.warning("callback failed", extra={"job_id": callback.job_id, "error": reason})
        if isinstance(error, RejectedError) or callback.attempts + 1 >= MAX_CALLBACK_ATTEMPTS:
            callbacks.end(callback, now, reason)
            return
        callbacks.reschedule(callback, now + _BACKOFF.wait(callback.attempts), reason)
    else:
        callbacks.end(callback, services.clock.now())


def _engine(services: Services) -> JobEngine:
    if services.jobs.engine is None:
        raise PermanentError("this process executes no jobs")
    return services.jobs.engine


def submit(
    services: Services,
    kind: str,
    payload: JsonObject,
    *,
    idempotency_key: str | None = None,
    webhook_url: str | None = None,
    entry: AuditEntry | None = None,
) -> tuple[JobRecord, bool]:
    """Return a queued job and True, or the first job of its key and False. Raises: InvalidInputError.

    The row is authoritative: when the broker is unreachable, the reconciler publishes the message later.
    """
    job_kind = validate(services, kind, payload)
    new = NewJob(kind, job_kind.profile, payload, idempotency_key, webhook_url)
    job, created = services.store.jobs.add(new, services.clock.now(), entry)
    if created:
        publish_job(services, job)
    return job, created


def cancel(services: Services, job_id: str, entry: AuditEntry | None = None) -> JobRecord | None:
    """Request cancellation unless the job has ended; return its state, or None for an unknown job."""
    job = services.store.jobs.request_cancel(job_id, services.clock.now(), entry)
    if job is not None and not job.state.is_final:
        services.publish_or_defer(cancel_job.message(job_id), job_id=job_id)
    return job


def signal(
    services: Services, job_id: str, given: Signal, entry: AuditEntry | None = None
) -> tuple[JobRecord, bool]:
    """Give a job a person's answer; return the job, and whether the signal is new.

    Raises: InvalidInputError for an unknown job; ConflictError when the job takes no signal now.
    """
    job = services.store.jobs.get(job_id)
    if job is None:
        raise InvalidInputError({"job_id": "there is no such job"})
    kind = services.jobs.kinds.get(job.kind)
    if job.waiting_for is None and (kind is None or not kind.phases):
        raise ConflictError(f"jobs of kind {job.kind} wait for no answer")
    is_new = services.store.job_waits.signal(job_id, given, services.clock.now(), entry)
    if is_new:
        services.publish_or_defer(resume_job.message(job_id), job_id=job_id)
    return services.store.jobs.get(job_id) or job, bool(is_new)


def retry(services: Services, job_id: str, entry: AuditEntry | None = None) -> tuple[JobRecord, bool]:
    """Return a new job with the input of a failed or cancelled one and True, or its first retry and False.

    The first job was compensated, so every step runs again. Raises: InvalidInputError.
    """
    job = services.store.jobs.get(job_id)
    if job is None:
        raise InvalidInputError({"job_id": "there is no such job"})
    if job.state not in {JobState.FAILED, JobState.CANCELLED}:
        raise InvalidInputError({"job_id": f"is {job.state}: only failed and cancelled jobs can be retried"})
    profile = _kind(services, job.kind).profile
    new = NewJob(job.kind, profile, job.input, webhook_url=job.webhook_url, retry_of=job.id)
    retried, created = services.store.jobs.add(new, services.clock.now(), entry)
    if created:
        publish_job(services, retried)
    return retried, created


def publish_job(services: Services, job: JobRecord) -> None:
    """Publish the job's message, or leave that to the reconciler."""
    services.publish_or_defer(START[job.profile].message(job.id), job_id=job.id)


def validate(services: Services, name: str, payload: JsonObject) -> JobKind[Any]:
    """Return the kind `name`, which accepts `payload` from a caller. Raises: InvalidInputError."""
    kind = _kind(services, name)
    if not kind.is_public:
        raise InvalidInputError({"kind": "is not for callers to start"})
    try:
        kind.read(payload)
    except InvalidInputError as error:
        problems = {f"input.{field}": problem for field, problem in error.problems.items()}
        raise InvalidInputError(problems) from error
    if reserved := kind.reserved_fields & payload.keys():
        raise InvalidInputError({f"input.{field}": "is reserved for Rollcall" for field in sorted(reserved)})
    return kind


def _kind(services: Services, name: str) -> JobKind[Any]:
    kind = services.jobs.kinds.get(name)
    if kind is None:
        known = ", ".join(services.jobs.kinds) or "no kinds of jobs"
        raise InvalidInputError({"kind": f"is not known; there are {known}"})
    return kind
