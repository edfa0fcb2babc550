"""What a lost message, a parked batch or a dead process left pending is set going again.

It reads the database and publishes; it is run every few seconds by the scheduler, and needs no message
itself. Publishing something that is already under way is harmless: every actor finds the work done.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from actors.alert import announce_finish
from actors.check import check
from actors.deliver import MAIL, deliver
from actors.dispatch import dispatch
from actors.services import Services

GRACE = timedelta(seconds=5)  # between a commit and the message that follows it
LOST_AFTER = timedelta(minutes=10)  # where nobody can say whether a message still waits
_log = logging.getLogger(__name__)


def reconcile(services: Services, depths: Mapping[str, int | None]) -> None:
    """Publish what is due or lost.

    Shape: `depths` maps each queue to its unfinished messages; None where the broker cannot say. An empty
    queue proves that what is still pending in the database has no message any more.
    """
    now = services.clock.now()
    _expire(services, now)
    _publish_batches(services, now, _lost_before(now, depths.get(check.queue)))
    for run_id in services.store.runs.queued(_lost_before(now, depths.get(dispatch.queue))):
        services.publish(dispatch.message(run_id))
    if depths.get(deliver.queue) in {0, None} and _is_mail_due(services, now):
        services.publish(deliver.message())


def _is_mail_due(services: Services, now: datetime) -> bool:
    return services.store.outbox.is_due(now) and services.store.pauses.paused(MAIL, now) is None


def _lost_before(now: datetime, depth: int | None) -> datetime:
    return now - (GRACE if depth == 0 else LOST_AFTER)


def _publish_batches(services: Services, now: datetime, lost_before: datetime) -> None:
    runs = services.store.runs
    for batch_id in (*runs.take_due_batches(now), *runs.take_lost_batches(lost_before, now)):
        services.publish(check.message(batch_id))


def _expire(services: Services, now: datetime) -> None:
    """Give up what no upstream answered within the run's lifetime, so that the next run can ask anew."""
    expired = services.store.runs.expire(now, services.run_lifetime)
    for batch in expired:
        _log.warning("gave up", extra={"run": batch.run_id, "sections": len(batch.pending)})
        services.claims.release([str(key) for key in batch.pending], batch.run_id)
    for run_id in dict.fromkeys(batch.run_id for batch in expired):
        announce_finish(services, run_id)
