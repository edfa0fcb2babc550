"""Ends waits whose reason has ended, whatever time was set when the wait began."""

from __future__ import annotations

import logging
from datetime import datetime

from actors.services import Services
from domain.run import WaitReason

_log = logging.getLogger(__name__)


def resume_ended_waits(services: Services, now: datetime) -> None:
    """Make batches due whose breaker has closed or whose pause is over; the rate limiter paces them.

    It compares states instead of listening for transitions, so an operator's reset, a natural recovery, a
    Redis that lost its data and a crash in between all end the wait.
    """
    for source, reason in services.store.waits.reasons():
        if _has_ended(services, source, reason, now):
            count = services.store.waits.resume(source, [reason])
            _log.info("resumed", extra={"source": source, "after": reason, "batches": count})


def end_waits(services: Services, name: str) -> None:
    """End every wait of a source, or of mail, whose settings have changed.

    Rollcall's own pauses and breakers opened by failures reflect the old settings. What an operator has set
    stays.
    """
    pause = services.store.pauses.find(name)
    if pause is not None:
        services.store.pauses.end_ours(pause)
    breaker = services.breakers[name]
    snapshot = breaker.snapshot()
    if snapshot.state != "closed" and snapshot.forced is None:
        breaker.reset("rollcall, for new settings")
    count = services.store.waits.resume(name)
    _log.info("resumed", extra={"upstream": name, "after": "new settings", "batches": count})


def can_check(services: Services, now: datetime) -> bool:
    """Return whether any source may be asked: it is not paused, and its breaker grants requests."""
    return any(
        services.store.pauses.paused(source, now) is None and _lets_out(services, source)
        for source in services.sources
    )


def _has_ended(services: Services, source: str, reason: WaitReason, now: datetime) -> bool:
    if source not in services.sources:
        return False
    match reason:
        case WaitReason.BREAKER:
            return services.breakers[source].snapshot().state == "closed"
        case WaitReason.PAUSE:
            return services.store.pauses.paused(source, now) is None
    return False


def _lets_out(services: Services, source: str) -> bool:
    snapshot = services.breakers[source].snapshot()
    return snapshot.state != "open" or snapshot.retry_after_seconds == 0
