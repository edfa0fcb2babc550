"""Queues `realtime`, `batch`, `cancel` and `callbacks`, consumed by the role `rollcall jobs`.

A message only asks to look at a job's row: a duplicate, late or lost one (the reconciler republishes it)
changes nothing. Each profile has its own queue, so neither waits for the other.

HTTP and the command line share submission, cancellation and retry.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from dramatiq import Message

from actors.registry import ActorSpec, actor
from actors.services import JobEngine, Services
from domain.errors import InvalidInputError, PermanentError, RejectedError, RollcallError, UnreachableError
from domain.job import JobRecord, JobState, JsonObject, NewJob, Profile
from store.audit import AuditEntry
from store.jobs.callbacks import JobCallback
from workflows.catalog import JobKind

AHEAD = 32  # the engine's own queues are not for thousands: it holds no more waiting jobs of a kind
LANED_AHEAD = 500  # at a time; one account's many jobs must not block those of others
LEASE = timedelta(minutes=2)  # exceeds the limit of one call: 10 s plus DNS resolution
MAX_CALLS = 12  # over about three and a half hours
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 10, 3600
_log = logging.getLogger(__name__)


def _start(services: Services, job_id: str) -> None:
    """Pass the next jobs of this job's kind to the engine, as many as it has room for."""
    jobs = services.store.jobs
    name = jobs.kind(job_id)
    if name is None:
        return
    kind = services.jobs.catalog.get(name)
    is_laned = kind is not None and kind.lane is not None
    room = LANED_AHEAD if is_laned else AHEAD - jobs.accepted_in_queue(name)
    if room > 0:
        for job, number in jobs.next_up(name, room):
            _give(services, job, number)


def _give(services: Services, job: JobRecord, number: int) -> None:
    _engine(services).start(job, number)
    services.store.jobs.accept(job.id, services.clock.now())


START: dict[Profile, ActorSpec[[str]]] = {
    Profile.REALTIME: actor(name="jobs.start", queue=Profile.REALTIME.value)(_start),
    Profile.BATCH: actor(name="jobs.start_batch", queue=Profile.BATCH.value, priority=1)(_start),
}


@actor(name="jobs.cancel", queue="cancel")
def cancel_job(services: Services, job_id: str) -> None:
    """Run a queued job at once so that it ends; a running job sees the cancellation mark."""
    job, number = services.store.jobs.get(job_id), services.store.jobs.number(job_id)
    if job is not None and number is not None:
        _give(services, job, number)
        _engine(services).hasten(job_id)


# Its own queue and, in the role, its own thread: a slow receiver delays no job.
@actor(name="jobs.tell", queue="callbacks")
def send_callbacks(services: Services) -> None:
    """Send the due callbacks about ended jobs until none is left."""
    while call := services.store.job_callbacks.claim(services.clock.now(), lease=LEASE):
        _call(services, call)


def _call(services: Services, call: JobCallback) -> None:
    error = _failure(services, call)
    calls, now = services.store.job_callbacks, services.clock.now()
    if error is None:
        calls.end(call, now)
        return
    reason = f"{type(error).__name__}: {error}"
    _log.warning("caller not told", extra={"job": call.job_id, "error": reason})
    if isinstance(error, RejectedError) or call.attempts + 1 >= MAX_CALLS:
        calls.end(call, now, reason)
    else:
        seconds = min(_FIRST_RETRY_SECONDS * 2**call.attempts, _LAST_RETRY_SECONDS)
        calls.postpone(call, now + timedelta(seconds=seconds), reason)


def _failure(services: Services, call: JobCallback) -> RollcallError | None:
    if services.jobs.post is None:
        raise PermanentError("this process tells no callers")
    try:
        services.jobs.post(call.url, call.job_id, call.body)
    except RollcallError as error:
        return error
    return None


def _engine(services: Services) -> JobEngine:
    if services.jobs.engine is None:
        raise PermanentError("this process carries out no jobs")
    return services.jobs.engine


def submit(
    services: Services,
    kind: str,
    given: JsonObject,
    *,
    idempotency_key: str | None = None,
    webhook_url: str | None = None,
) -> tuple[JobRecord, bool]:
    """Return a queued job and True, or the first job of its key and False. Raises: InvalidInputError.

    The row is authoritative: when the broker is unreachable, the reconciler publishes the message later.
    """
    found = _kind(services, kind)
    if not found.is_offered:
        raise InvalidInputError({"kind": "is not for callers to start"})
    _read(found, given)
    new = NewJob(kind, found.profile, given, idempotency_key, webhook_url)
    job, created = services.store.jobs.add(new, services.clock.now())
    if created:
        publish_job(services, job)
    return job, created


def cancel(services: Services, job_id: str, entry: AuditEntry | None = None) -> JobRecord | None:
    """Request cancellation unless the job has ended; return its state, or None for an unknown job."""
    job = services.store.jobs.request_cancel(job_id, services.clock.now(), entry)
    if job is not None and not job.state.is_final:
        _publish(services, cancel_job.message(job_id), job_id)
    return job


def retry(services: Services, job_id: str, entry: AuditEntry | None = None) -> tuple[JobRecord, bool]:
    """Return a new job with the input of a failed or cancelled one and True, or its first retry and False.

    The first job was compensated, so every step runs again. Raises: InvalidInputError.
    """
    job = services.store.jobs.get(job_id)
    if job is None:
        raise InvalidInputError({"job_id": "there is no such job"})
    if job.state not in {JobState.FAILED, JobState.CANCELLED}:
        raise InvalidInputError(
            {"job_id": f"is {job.state}: only what failed or was cancelled is tried again"}
        )
    profile = _kind(services, job.kind).profile
    new = NewJob(job.kind, profile, job.input, webhook_url=job.webhook_url, retry_of=job.id)
    found, created = services.store.jobs.add(new, services.clock.now(), entry)
    if created:
        publish_job(services, found)
    return found, created


def publish_job(services: Services, job: JobRecord) -> None:
    """Publish the job's message, or leave that to the reconciler."""
    _publish(services, START[job.profile].message(job.id), job.id)


def _read(kind: JobKind[Any], given: JsonObject) -> None:
    try:
        kind.read(given)
    except InvalidInputError as error:
        problems = {f"input.{field}": problem for field, problem in error.problems.items()}
        raise InvalidInputError(problems) from error
    if kept := kind.kept & given.keys():
        raise InvalidInputError({f"input.{field}": "is not for callers to give" for field in sorted(kept)})


def _publish(services: Services, message: Message[Any], job_id: str) -> None:
    try:
        services.publish(message)
    except UnreachableError as error:
        _log.warning(
            "broker unreachable, the reconciler will publish", extra={"job": job_id, "error": str(error)}
        )


def _kind(services: Services, name: str) -> JobKind[Any]:
    kind = services.jobs.catalog.get(name)
    if kind is None:
        known = ", ".join(services.jobs.catalog) or "no kinds of jobs"
        raise InvalidInputError({"kind": f"is not known; there are {known}"})
    return kind
