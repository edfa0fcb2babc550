"""Writes one batch of checks as states, history, notifications and counts, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select, update

from domain.errors import RateLimitedError, UnauthorisedError, is_retryable
from domain.observation import CheckFailure, Outcome
from domain.run import MAX_ATTEMPTS, Batch, WaitReason
from domain.section import SectionKey
from store.database import Database, to_ms
from store.runs.retirement import retire_missing
from store.runs.runs import batch_of, count, finish_if_done, pending_column
from store.schema import check_batches, runs, sections
from store.sections.observations import Recorded, record
from store.sections.states import by_term, revisions

# These concern our account, not the section: they cost no attempt, and the run's deadline bounds them. A
# longer wait for new credentials is a pause of the source (`store.pauses`).
_COSTS_NO_ATTEMPT = (RateLimitedError, UnauthorisedError)

_IS_BATCH = check_batches.c.id == bindparam("batch_id")
_FIND = select(check_batches).where(_IS_BATCH)
_LOCK = _FIND.with_for_update()
_DELETE = delete(check_batches).where(_IS_BATCH)
_RESCHEDULE = (
    update(check_batches)
    .where(_IS_BATCH)
    .values(due_at_ms=bindparam("due_at_ms"), waits_for=bindparam("waits_for"), published_at_ms=None)
)
_SET_REASON = (
    update(runs)
    .where(runs.c.id == select(check_batches.c.run_id).where(_IS_BATCH).scalar_subquery())
    .values(reason=bindparam("why"))
)
_RETRY = _RESCHEDULE.values(pending=bindparam("pending"))
_IS_AMONG = (
    (sections.c.source == bindparam("of_source"))
    & (sections.c.term == bindparam("of_term"))
    & sections.c.number.in_(bindparam("numbers", expanding=True))
)
_CLEAR_FAILURES = update(sections).where(_IS_AMONG, sections.c.failures > 0).values(failures=0)
_COUNT_FAILURES = update(sections).where(_IS_AMONG).values(failures=sections.c.failures + 1)
_RUN_COUNTS = select(runs.c.checked, runs.c.failed).where(runs.c.id == bindparam("run_id"))


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """The result of one commit: the sections that are done, and the effects."""

    keys: list[SectionKey] = field(default_factory=list)
    changed: int = 0
    notifications: int = 0
    run_finished: bool = False


class Batches:
    """Pending batches, and the transaction that records their outcomes."""

    def __init__(self, database: Database, *, cooldown: timedelta) -> None:
        self._database = database
        self._cooldown = cooldown

    def get(self, batch_id: int) -> Batch | None:
        """The batch with its pending sections, or None if none is pending."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"batch_id": batch_id}).mappings().first()
            if row is None:
                return None
            batch = batch_of(row)
            return replace(batch, revisions=revisions(connection, batch.pending))

    def has_answers(self, run_id: str) -> bool:
        """Whether the run has more answers than failures, so that a section that fails again is at fault."""
        with self._database.read() as connection:
            return _has_answers(connection, run_id)

    def reschedule(self, batch_id: int, due_at: datetime, waits_for: WaitReason, reason: str) -> None:
        """Reschedule the batch to `due_at`, or to the end of what it waits for; costs no attempt.

        `reason` becomes the run's reason for its unchecked sections.
        """
        values = {"batch_id": batch_id, "due_at_ms": to_ms(due_at), "waits_for": waits_for}
        with self._database.write() as connection:
            connection.execute(_RESCHEDULE, values)
            connection.execute(_SET_REASON, {"batch_id": batch_id, "why": reason})

    def record(  # noqa: PLR0913 - what was observed, and what becomes of the rest
        self,
        batch_id: int,
        outcomes: Sequence[Outcome],
        now: datetime,
        *,
        revisions: Mapping[SectionKey, int],
        retry_at: datetime,
        waits_for: WaitReason | None = None,
        reason: str | None = None,
    ) -> RecordedBatch:
        """Commit the outcomes of a batch; `reason` explains why some of them failed.

        `revisions` are those of the sections when the batch was read. Outcomes of sections that are no longer
        pending are ignored, so a duplicate message has no effect. Retryable failures stay pending and are due
        at `retry_at`, or when what they wait for has ended. Sections to re-check
        (`store.sections.observations`) stay pending and cost no attempt.
        """
        with self._database.write() as connection:
            row = connection.execute(_LOCK, {"batch_id": batch_id}).mappings().first()
            if row is None:
                return RecordedBatch()
            batch = batch_of(row)
            fresh = [outcome for outcome in outcomes if outcome.key in batch.pending]
            recorded = self._record(connection, fresh, revisions, now)
            remaining, failed = _remaining(
                batch, [each for each in fresh if each.key not in recorded.recheck]
            )
            checked = len(batch.pending) - len(remaining) - len(failed)
            counts = {"checked": checked, "failed": len(failed), "changed": recorded.changed}
            notified = counts["notifications"] = recorded.notifications
            count(connection, batch.run_id, reason, **counts)
            _clear_failures(connection, _recovered(batch, fresh))
            _count_failures(connection, batch.run_id, failed)
            due_at = max(retry_at, recorded.recheck_at or retry_at)
            _update_batch(connection, batch.id, remaining, due_at, waits_for)
            finished = not remaining and finish_if_done(connection, batch.run_id, now)
            if finished and (retired := retire_missing(connection, now)):
                count(connection, batch.run_id, notifications=retired)
                notified += retired
        keys = [key for key in batch.pending if key not in remaining]
        return RecordedBatch(keys, recorded.changed, notified, finished)

    def _record(
        self,
        connection: Connection,
        outcomes: Sequence[Outcome],
        revisions: Mapping[SectionKey, int],
        now: datetime,
    ) -> Recorded:
        answers = [outcome for outcome in outcomes if not isinstance(outcome, CheckFailure)]
        return record(connection, answers, revisions, now, self._cooldown)


def _recovered(batch: Batch, outcomes: Sequence[Outcome]) -> list[SectionKey]:
    """The sections that failed before and are answered now."""
    answered = [outcome.key for outcome in outcomes if not isinstance(outcome, CheckFailure)]
    return [key for key in answered if batch.pending[key]]


def _clear_failures(connection: Connection, keys: Collection[SectionKey]) -> None:
    for (source, term), numbers in by_term(keys).items():
        connection.execute(_CLEAR_FAILURES, {"of_source": source, "of_term": term, "numbers": numbers})


def _count_failures(connection: Connection, run_id: str, keys: Collection[SectionKey]) -> None:
    """Count that `keys` failed, unless the run has no more answers than failures: the source is the cause."""
    if not keys or not _has_answers(connection, run_id):
        return
    for (source, term), numbers in by_term(keys).items():
        connection.execute(_COUNT_FAILURES, {"of_source": source, "of_term": term, "numbers": numbers})


def _has_answers(connection: Connection, run_id: str) -> bool:
    """Whether more sections of the run have been answered than were given up."""
    row = connection.execute(_RUN_COUNTS, {"run_id": run_id}).first()
    return row is not None and row.checked > row.failed


def _remaining(batch: Batch, outcomes: Sequence[Outcome]) -> tuple[dict[SectionKey, int], list[SectionKey]]:
    """What is still pending after `outcomes`, and the sections that have finally failed."""
    remaining, failed = dict(batch.pending), list[SectionKey]()
    for outcome in outcomes:
        attempts = remaining.pop(outcome.key)
        if not isinstance(outcome, CheckFailure):
            continue
        waits = isinstance(outcome.error, _COSTS_NO_ATTEMPT)
        attempts += not waits
        if attempts < MAX_ATTEMPTS and (waits or is_retryable(outcome.error)):
            remaining[outcome.key] = attempts
        else:
            failed.append(outcome.key)
    return remaining, failed


def _update_batch(
    connection: Connection,
    batch_id: int,
    remaining: dict[SectionKey, int],
    retry_at: datetime,
    waits_for: WaitReason | None,
) -> None:
    if not remaining:
        connection.execute(_DELETE, {"batch_id": batch_id})
        return
    values = {
        "pending": pending_column(remaining),
        "due_at_ms": to_ms(retry_at),
        "waits_for": waits_for,
    }
    connection.execute(_RETRY, {"batch_id": batch_id} | values)
