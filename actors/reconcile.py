"""Republishes work that a lost message, a waiting batch or a dead process left pending.

The scheduler runs it every few seconds; it reads the database and publishes, and needs no message itself.
Publishing work in progress is harmless: every actor finds it done. It gives up work that no upstream answered
within a run's lifetime, so that the next run can ask again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from actors.check import check, release_claims
from actors.deliver import deliver
from actors.dispatch import dispatch
from actors.jobs import START, cancel_job, resume_job, send_callbacks
from actors.services import Services
from domain.notification import MAIL
from domain.run import WaitReason

GRACE = timedelta(seconds=5)  # between a commit and the message that follows it
LOST_AFTER = timedelta(minutes=10)  # where the broker does not show whether a message still waits
CLOCK_CHECK_PERIOD = timedelta(seconds=30)
_log = logging.getLogger(__name__)


def reconcile(services: Services, depths: Mapping[str, int | None]) -> None:
    """Publish due and lost work.

    Shape: `depths` maps each queue to its unfinished messages; None where the broker does not know. An empty
    queue proves that pending work in the database has no message any more.
    """
    now = services.clock.now()
    release_claims(services, services.store.runs.expire(now, services.run_lifetime))
    _resume_ended_waits(services, now)
    _publish_batches(services, now, _lost_before(now, depths.get(check.queue)))
    for run_id in services.store.runs.queued(_lost_before(now, depths.get(dispatch.queue))):
        services.publish(dispatch.message(run_id))
    if _is_mail_due(services, now, depths.get(deliver.queue)):
        services.publish(deliver.message())
    _publish_jobs(services, now, depths)


def _is_mail_due(services: Services, now: datetime, depth: int | None) -> bool:
    """A queued message may be a retry held in a worker's memory, on a clock that was set back."""
    due_before = now - LOST_AFTER if depth else now
    return services.store.outbox.is_due(due_before) and services.store.pauses.paused(MAIL, now) is None


def _lost_before(now: datetime, depth: int | None) -> datetime:
    return now - (GRACE if depth == 0 else LOST_AFTER)


def _publish_batches(services: Services, now: datetime, lost_before: datetime) -> None:
    runs = services.store.runs
    for batch_id in (*runs.claim_due_batches(now), *runs.claim_lost_batches(lost_before, now)):
        services.publish(check.message(batch_id))


def _publish_jobs(services: Services, now: datetime, depths: Mapping[str, int | None]) -> None:
    jobs = services.store.jobs
    for job_id in services.store.job_waits.expire(now):
        services.publish(resume_job.message(job_id))
    for profile, start in START.items():
        for job_id in jobs.claim_lost(profile, _lost_before(now, depths.get(start.queue)), now):
            services.publish(start.message(job_id))
    if depths.get(cancel_job.queue) in {0, None}:
        for job_id in jobs.cancelled_in_queue(now - GRACE):
            services.publish(cancel_job.message(job_id))
    if depths.get(send_callbacks.queue) in {0, None} and services.store.job_callbacks.is_due(now):
        services.publish(send_callbacks.message())


def _resume_ended_waits(services: Services, now: datetime) -> None:
    """Make batches due whose breaker has closed or whose pause is over; the rate limiter paces them.

    It compares states instead of listening for transitions, so an operator's reset, a natural recovery, a
    Redis that lost its data and a crash in between all end the wait.
    """
    for source, reason in services.store.waits.reasons():
        if _has_ended(services, source, reason, now):
            count = services.store.waits.resume(source, [reason])
            _log.info("resumed", extra={"source": source, "after": reason, "batches": count})


def _has_ended(services: Services, source: str, reason: WaitReason, now: datetime) -> bool:
    if source not in services.sources:
        return False
    match reason:
        case WaitReason.BREAKER:
            return services.breakers[source].snapshot().state == "closed"
        case WaitReason.PAUSE:
            return services.store.pauses.paused(source, now) is None
    return False


def bound_stored_times(services: Services) -> None:
    """Reset stored times that are too far ahead of a clock that was set back (`store.clock_bounds`)."""
    now = services.clock.now()
    found = services.store.clock_bounds.enforce(now, run_lifetime=services.run_lifetime)
    if found:
        _log.warning("the clock was set back: stored times are reset", extra={"rows": found})
