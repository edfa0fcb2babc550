"""One batch of checks becomes states, history, notifications and counts, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select, update

from domain.changes import Change, SectionState, advance, miss
from domain.errors import RateLimitedError, UnauthorisedError, is_retryable
from domain.observation import Failure, Missing, Observation, Outcome
from domain.run import Batch, WaitReason
from domain.section import SectionKey
from store import notices
from store.database import Database
from store.moments import from_ms, to_ms
from store.retirement import retire_missing
from store.runs import batch_of, count, finish_if_done, pending_column
from store.schema import check_batches
from store.sections import load, save

MAX_ATTEMPTS = 4
# These speak of us, not of the section: they cost it no attempt, and the run's deadline bounds them. Whoever
# has to wait longer for new credentials pauses the source (`store.pauses`).
_WAITED_OUT = (RateLimitedError, UnauthorisedError)

_IS_BATCH = check_batches.c.id == bindparam("batch_id")
_FIND = select(check_batches).where(_IS_BATCH)
_LOCK = _FIND.with_for_update()
_DELETE = delete(check_batches).where(_IS_BATCH)
_PARK = (
    update(check_batches)
    .where(_IS_BATCH)
    .values(due_at_ms=bindparam("due_at_ms"), waits_for=bindparam("waits_for"), published_at_ms=None)
)
_RETRY = _PARK.values(pending=bindparam("pending"))


@dataclass(frozen=True, slots=True)
class Settled:
    """What one commit settled: the sections that need no more asking, and what it caused."""

    keys: list[SectionKey] = field(default_factory=list)
    changed: int = 0
    notifications: int = 0
    run_finished: bool = False


class Checks:
    """Pending batches, and the transaction that settles them."""

    def __init__(self, database: Database, *, cooldown: timedelta) -> None:
        self._database = database
        self._cooldown = cooldown

    def pending(self, batch_id: int) -> Batch | None:
        """The batch with what is still to be asked, or None when nothing is."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"batch_id": batch_id}).mappings().first()
        return None if row is None else batch_of(row)

    def park(self, batch_id: int, due_at: datetime, waits_for: WaitReason) -> None:
        """Leave the batch as it is until `due_at`, or until what it waits for has ended; costs no attempt."""
        values = {"batch_id": batch_id, "due_at_ms": to_ms(due_at), "waits_for": waits_for}
        with self._database.write() as connection:
            connection.execute(_PARK, values)

    def settle(
        self,
        batch_id: int,
        outcomes: Sequence[Outcome],
        now: datetime,
        *,
        retry_at: datetime,
        waits_for: WaitReason | None = None,
    ) -> Settled:
        """Commit what the source said of the batch.

        Outcomes of sections that are no longer pending count nothing: a message that came twice changes
        nothing twice. Failures worth another attempt stay pending and are due at `retry_at`, or when what
        they wait for has ended.
        """
        with self._database.write() as connection:
            row = connection.execute(_LOCK, {"batch_id": batch_id}).mappings().first()
            if row is None:
                return Settled()
            batch = batch_of(row)
            fresh = [outcome for outcome in outcomes if outcome.key in batch.pending]
            changed, notified = self._apply(connection, fresh, now)
            remaining, failed = _remaining(batch, fresh)
            checked = len(batch.pending) - len(remaining) - failed
            counts = {"checked": checked, "failed": failed, "changed": changed, "notifications": notified}
            count(connection, batch.run_id, **counts)
            _update_batch(connection, batch.id, remaining, retry_at, waits_for)
            finished = not remaining and finish_if_done(connection, batch.run_id, now)
            if finished and (retired := retire_missing(connection, now)):
                count(connection, batch.run_id, notifications=retired)
                notified += retired
        keys = [key for key in batch.pending if key not in remaining]
        return Settled(keys, changed, notified, finished)

    def _apply(self, connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> tuple[int, int]:
        told = [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
        if not told:
            return 0, 0
        rows = load(connection, [outcome.key for outcome in told])
        before = dict(rows.values())
        after: dict[int, SectionState] = {}
        news: list[tuple[int, SectionState, Change]] = []
        for outcome in told:
            row_id, state = rows[outcome.key]
            after[row_id], changes = _moved(state, outcome)
            news += [(row_id, after[row_id], change) for change in changes]
        save(connection, before, after)
        return len({row_id for row_id, _, _ in news}), notices.add(connection, news, now, self._cooldown)


def _moved(state: SectionState, outcome: Observation | Missing) -> tuple[SectionState, tuple[Change, ...]]:
    # States are kept to the millisecond: more precise times would make an older observation look newer.
    if outcome.observed_at.microsecond % 1000:
        outcome = replace(outcome, observed_at=from_ms(to_ms(outcome.observed_at)))
    return advance(state, outcome) if isinstance(outcome, Observation) else (miss(state, outcome), ())


def _remaining(batch: Batch, outcomes: Sequence[Outcome]) -> tuple[dict[SectionKey, int], int]:
    """What is still pending after `outcomes`, and how many sections are finally given up on."""
    remaining, failed = dict(batch.pending), 0
    for outcome in outcomes:
        attempts = remaining.pop(outcome.key)
        if not isinstance(outcome, Failure):
            continue
        waits = isinstance(outcome.error, _WAITED_OUT)
        attempts += not waits
        if attempts < MAX_ATTEMPTS and (waits or is_retryable(outcome.error)):
            remaining[outcome.key] = attempts
        else:
            failed += 1
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
