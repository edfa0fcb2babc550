"""Queue `check`: observes a batch of sections, and stores changes together with their notifications.

The batch's row holds what is pending, so a duplicate, late or lost message neither repeats nor loses work.
Batches that wait (open breaker, failed attempt) stay in the database; the reconciler publishes them when they
are due. When the store gives up batches, `release_claims` frees their sections for the next run.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from actors.alert import report_run_finished
from actors.deliver import deliver
from actors.pauses import pause_or_resume
from actors.registry import actor
from actors.services import Services
from domain.errors import RateLimitedError, RollcallError, UnreachableError
from domain.observation import CheckFailure, Outcome
from domain.retry import Backoff, breaker_outcome_of
from domain.run import Batch, WaitReason
from domain.section import SectionKey
from observability.logs import bind_ids
from observability.recorders import record_checks
from resilience.breaker import CircuitBreakerError
from resilience.breaker_model import BreakerSnapshot
from store.pauses import Pause
from store.runs.batches import RecordedBatch

_log = logging.getLogger(__name__)


def release_claims(services: Services, batches: Sequence[Batch]) -> None:
    """Release the claims of abandoned `batches`, and report the end of their runs."""
    for batch in batches:
        _log.warning("batch given up", extra={"run_id": batch.run_id, "sections": len(batch.pending)})
        services.claims.release([key.path for key in batch.pending], batch.run_id)
    for run_id in dict.fromkeys(batch.run_id for batch in batches):
        report_run_finished(services, run_id)


_BACKOFF = Backoff(first_seconds=5, last_seconds=80, factor=4)
_SOON = timedelta(seconds=1)
_LET_FRESH_FIRST = timedelta(seconds=5)  # a breaker's probes use sections that have not failed


def _give_up(services: Services, reason: str, batch_id: int) -> str:
    """Count pending sections as failed: another message would crash another worker."""
    batch = services.store.runs.give_up(batch_id, reason, services.clock.now())
    if batch is None:
        return "nothing: it was recorded already"
    release_claims(services, [batch])
    return f"{len(batch.pending)} sections of run {batch.run_id}"


# A stopping worker does not wait for slow answers: their sections stay pending.
@actor(name="sections.check", queue="check", give_up=_give_up, notify_shutdown=True)
def check(services: Services, batch_id: int) -> None:
    """Observe the sections that the breaker permits, and record the outcomes."""
    batch = services.store.batches.get(batch_id)
    if batch is None:
        return
    pause = services.store.pauses.find(batch.source)
    if pause is not None and pause.is_in_force(services.clock.now()):
        services.store.batches.reschedule(
            batch_id, pause.until, WaitReason.PAUSE, f"{batch.source} is paused: {pause.reason}"
        )
        return
    with bind_ids(run_id=batch.run_id):
        _observe(services, batch, pause)


def _observe(services: Services, batch: Batch, pause: Pause | None) -> None:
    breaker = services.breakers[batch.source]
    try:
        with breaker.calling(len(batch.pending)) as permit:
            keys = sorted(batch.pending, key=lambda key: batch.pending[key] > 0)[: permit.granted]
            outcomes = services.sources[batch.source].observe(keys)
            verdicts = _verdicts(services, batch, outcomes, is_probe=permit.is_probe)
            durations_seconds = [_took_seconds(outcome) for outcome in outcomes]
            breaker.record(permit, verdicts, durations_seconds, error=_worst_error(outcomes))
    except CircuitBreakerError as refusal:
        _reschedule(services, batch, refusal)
        return
    errors = _errors(outcomes)
    paused_until = pause_or_resume(
        services, batch.source, errors, pause, has_answered=len(errors) < len(outcomes)
    )
    _record(services, batch, outcomes, paused_until)


def _reschedule(services: Services, batch: Batch, refusal: CircuitBreakerError) -> None:
    """Reschedule the batch to when the breaker may permit requests."""
    wait = timedelta(seconds=refusal.retry_after_seconds)
    if all(batch.pending.values()):
        wait += _LET_FRESH_FIRST
    due_at, reason = services.clock.now() + wait, _refusal(services.breakers[batch.source].snapshot())
    services.store.batches.reschedule(batch.id, due_at, WaitReason.BREAKER, reason)


def _record(services: Services, batch: Batch, outcomes: Sequence[Outcome], paused_until: datetime) -> None:
    now = services.clock.now()
    retry_at = max(now + _backoff(batch.pending, outcomes), paused_until)
    waits_for = _wait_reason(outcomes, is_paused=paused_until > now)
    # Before the commit that may finish the run: after it, no claim may be left.
    observed = [outcome.key for outcome in outcomes if not isinstance(outcome, CheckFailure)]
    _release(services, batch, observed)
    reason = _reason(services, batch.source, outcomes)
    recorded = services.store.batches.record(
        batch.id,
        outcomes,
        now,
        revisions=batch.revisions,
        retry_at=retry_at,
        waits_for=waits_for,
        reason=reason,
    )
    _count(services, batch, outcomes, recorded)
    _release(services, batch, [key for key in recorded.keys if key not in observed])
    if recorded.run_finished:
        report_run_finished(services, batch.run_id)
    if recorded.notifications:
        services.publish(deliver.message())


def _release(services: Services, batch: Batch, keys: Sequence[SectionKey]) -> None:
    """Release claims. Without Redis they expire, and the answers are still stored."""
    try:
        services.claims.release([key.path for key in keys], batch.run_id)
    except UnreachableError as error:
        _log.warning("claims not released: they expire", extra={"error": str(error)})


def _verdicts(
    services: Services, batch: Batch, outcomes: Sequence[Outcome], *, is_probe: bool
) -> list[bool | None]:
    """Return the outcomes that count for the source's breaker.

    A section that failed before does not count while the source answers for others, except as a probe.
    """
    found = [
        True if not isinstance(each, CheckFailure) else breaker_outcome_of(each.error) for each in outcomes
    ]
    again = [i for i, each in enumerate(outcomes) if found[i] is False and batch.pending[each.key]]
    if again and not is_probe and services.store.batches.has_answers(batch.run_id):
        for i in again:
            found[i] = None
    return found


def _errors(outcomes: Sequence[Outcome]) -> list[RollcallError]:
    return [outcome.error for outcome in outcomes if isinstance(outcome, CheckFailure)]


def _worst_error(outcomes: Sequence[Outcome]) -> RollcallError | None:
    """Return the last error that counts against the source, else the last error, else None."""
    errors = _errors(outcomes)
    counted = [error for error in errors if breaker_outcome_of(error) is False]
    return next(reversed(counted or errors), None)


def _reason(services: Services, source: str, outcomes: Sequence[Outcome]) -> str | None:
    """Return why some sections were not checked, or None."""
    error = _worst_error(outcomes)
    return None if error is None else f"{source}: {services.describe(error)}"


def _refusal(breaker: BreakerSnapshot) -> str:
    """Return why the breaker of a source refuses requests."""
    if breaker.forced == "open":
        return f"{breaker.name}: {breaker.forced_by} holds its breaker open"
    last = "" if breaker.last_error is None else f"; the last error: {breaker.last_error}"
    return f"{breaker.name}: its breaker is {breaker.state.replace('_', ' ')}{last}"


def _took_seconds(outcome: Outcome) -> float:
    """Return the duration of an answer in seconds; a failure counts as one, however quick it was."""
    return 0 if isinstance(outcome, CheckFailure) else outcome.took_seconds or 0


def _backoff(attempts: dict[SectionKey, int], outcomes: Sequence[Outcome]) -> timedelta:
    """Return the back-off before failed sections are retried; unasked sections continue soon."""
    failures = [outcome for outcome in outcomes if isinstance(outcome, CheckFailure)]
    if not failures:
        return _SOON
    return max(_BACKOFF.wait(attempts.get(failure.key, 0), failure.error) for failure in failures)


def _wait_reason(outcomes: Sequence[Outcome], *, is_paused: bool) -> WaitReason | None:
    """Return what the rest of a batch waits for, besides its back-off."""
    if is_paused:
        return WaitReason.PAUSE
    errors = _errors(outcomes)
    is_limited = any(isinstance(error, RateLimitedError) for error in errors)
    return WaitReason.RATE_LIMIT if is_limited else None


def _count(services: Services, batch: Batch, outcomes: Sequence[Outcome], recorded: RecordedBatch) -> None:
    """Count and log the outcome of the batch."""
    record_checks(services.recorder, batch.source, outcomes, recorded.changed)
    caused = {"changed": recorded.changed, "notifications": recorded.notifications}
    _log.info("checked", extra={"source": batch.source, "sections": len(outcomes), **caused})
    _log_failures(outcomes)


def _log_failures(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, CheckFailure):
            kind, error = type(outcome.error).__name__, str(outcome.error)
            extra = {"section": str(outcome.key), "kind": kind, "error": error}
            _log.warning("check failed", extra=extra)
