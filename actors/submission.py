"""Asking for a job, for its end, or for another try: HTTP and the command line share it."""

from __future__ import annotations

import logging
from typing import Any

from dramatiq import Message

from actors.jobs import START, cancel_job
from actors.services import Services
from domain.errors import InvalidInputError, UnreachableError
from domain.job import JobRecord, JobState, JsonObject, NewJob
from store.audit import AuditEntry
from workflows.catalog import JobKind

_log = logging.getLogger(__name__)


def submit(
    services: Services,
    kind: str,
    given: JsonObject,
    *,
    idempotency_key: str | None = None,
    webhook_url: str | None = None,
) -> tuple[JobRecord, bool]:
    """A queued job and True, or the first one of its key and False. Raises: InvalidInputError by field.

    The row is what counts: when the broker cannot be reached, the reconciler publishes the message later.
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
    """Ask for the job's end, unless it has ended; how it stands, or None where there is no such job."""
    job = services.store.jobs.ask_cancel(job_id, services.clock.now(), entry)
    if job is not None and not job.state.is_final:
        _publish(services, cancel_job.message(job_id), job_id)
    return job


def retry(services: Services, job_id: str, entry: AuditEntry | None = None) -> tuple[JobRecord, bool]:
    """A new job with the input of one that failed or was cancelled, and True; or the first such and False.

    What that one had done was made good, so everything is done anew. Raises: InvalidInputError.
    """
    job = services.store.jobs.get(job_id)
    if job is None:
        raise InvalidInputError({"job_id": "there is no such job"})
    if job.state not in {JobState.FAILED, JobState.CANCELLED}:
        raise InvalidInputError(
            {"job_id": f"is {job.state}: only what failed or was cancelled is tried again"}
        )
    profile = _kind(services, job.kind).profile
    new = NewJob(job.kind, profile, job.given, webhook_url=job.webhook_url, retry_of=job.id)
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
