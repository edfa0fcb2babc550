"""Runs and their batches: requested, pending and finished checks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from domain.run import MAX_ATTEMPTS, ONE_SECTION, Batch, Run, RunState, WaitReason
from domain.section import SectionKey, Stagger
from store import audit, check_plans
from store.audit import AuditEntry
from store.check_plans import CheckPlan
from store.database import Database, from_ms, from_ms_or_none, serialise, to_ms
from store.runs import slots
from store.schema import check_batches, pauses, runs

_COUNTS = ("sections", "checked", "failed", "deferred", "changed", "notifications")

_IS_RUN = runs.c.id == bindparam("run_id")
_IS_OF_MANY = ~runs.c.trigger.endswith(ONE_SECTION)
_IS_FINISHED = runs.c.state == RunState.FINISHED
# As `domain.run.Run.is_success`.
_IS_SUCCESS = _IS_FINISHED & ((runs.c.checked > 0) | (runs.c.sections == 0))
_IS_QUEUED = runs.c.state == RunState.QUEUED
_IS_WAITING = _IS_QUEUED & (runs.c.created_at_ms <= bindparam("before_ms"))
_OPEN = insert(runs).returning(*runs.c)
_GET = select(runs).where(_IS_RUN)
_UPDATE_QUEUED = update(runs).where(_IS_RUN, _IS_QUEUED)
_WAITING = select(runs.c.id).where(_IS_WAITING).order_by(runs.c.number)
_FAIL_UNDISPATCHED = (
    update(runs)
    .where(_IS_WAITING)
    .values(state=RunState.FAILED, reason="was never dispatched", holds_slot=False)
)
_UNANSWERED = "some sections were not answered before the deadline"
_NEWEST_FENCE = select(func.max(runs.c.fence))
_COUNT = (
    update(runs)
    .where(_IS_RUN)
    .values({name: runs.c[name] + bindparam(f"more_{name}") for name in _COUNTS})
    .values(reason=func.coalesce(bindparam("new_reason"), runs.c.reason))
)
_IS_DONE = (runs.c.state == RunState.RUNNING) & ~exists().where(check_batches.c.run_id == runs.c.id)
# Once every section was checked, an earlier failure is no longer a reason.
_LASTING_REASON = case((runs.c.failed + runs.c.deferred > 0, runs.c.reason))
_FINISH = update(runs).where(_IS_RUN, _IS_DONE).values(state=RunState.FINISHED, reason=_LASTING_REASON)
_INSERT_BATCH = insert(check_batches).returning(check_batches.c.id)
_MARK_PUBLISHED = update(check_batches).values(due_at_ms=None, published_at_ms=bindparam("now_ms"))
_CLAIM_DUE = _MARK_PUBLISHED.where(check_batches.c.due_at_ms <= bindparam("now_ms")).returning(
    check_batches.c.id
)
_CLAIM_LOST = _MARK_PUBLISHED.where(
    check_batches.c.due_at_ms.is_(None), check_batches.c.published_at_ms <= bindparam("before_ms")
).returning(check_batches.c.id)
# The batches whose run is past its deadline, or will be when they are due, with the pause.
_UNFINISHABLE = (
    select(
        check_batches,
        runs.c.deadline_at_ms,
        runs.c.reason.label("cause"),
        pauses.c.reason.label("pause"),
    )
    .join(runs, runs.c.id == check_batches.c.run_id)
    .outerjoin(
        pauses,
        (pauses.c.name == check_batches.c.source) & (check_batches.c.waits_for == WaitReason.PAUSE),
    )
    .where(
        (runs.c.deadline_at_ms <= bindparam("now_ms")) | (check_batches.c.due_at_ms >= runs.c.deadline_at_ms)
    )
    .with_for_update(of=check_batches)
)


class Runs:
    """The rows of `runs` and `check_batches`. `store.runs.batches` records the outcomes of a run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        trigger: str,
        stagger: Stagger,
        slot: datetime,
        now: datetime,
        *,
        force: bool,
        entry: AuditEntry | None = None,
    ) -> tuple[Run, bool]:
        """A new queued run and True, or the run that already holds this slot and False.

        Skips runs of earlier slots that are still waiting to be dispatched.
        """
        row = {
            "id": uuid4().hex,
            "trigger": trigger,
            "stagger": stagger,
            "slot_ms": to_ms(slot),
            "forced": force,
            "holds_slot": not force,
            "state": RunState.QUEUED,
            "created_at_ms": to_ms(now),
        }
        try:
            with self._database.write() as connection:
                if not force:
                    slots.supersede(connection, row)
                opened = run_of(connection.execute(_OPEN, row).mappings().one())
                audit.write(connection, entry, subject=f"run/{opened.id}")
        except IntegrityError:
            holder = self.of_slot(stagger, slot)
            if holder is None:  # it gave the slot back meanwhile
                return self.create(trigger, stagger, slot, now, force=force, entry=entry)
            return holder, False
        return opened, True

    def of_slot(self, stagger: Stagger, slot: datetime) -> Run | None:
        """The run that holds a slot, or None while none does."""
        with self._database.read() as connection:
            row = connection.execute(select(runs).where(slots.holds(stagger, slot))).mappings().first()
        return None if row is None else run_of(row)

    def newest(self, stagger: Stagger) -> Run | None:
        """The newest run of a stagger, or None."""
        query = select(runs).where(runs.c.stagger == stagger).order_by(runs.c.number.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else run_of(row)

    def get(self, run_id: str) -> Run | None:
        """The run, or None if it does not exist."""
        with self._database.read() as connection:
            row = connection.execute(_GET, {"run_id": run_id}).mappings().first()
        return None if row is None else run_of(row)

    def page(self, before: int | None, limit: int) -> tuple[list[Run], int | None]:
        """The newest runs, older than the cursor `before`, and the next cursor."""
        query = select(runs).order_by(runs.c.number.desc())
        if before is not None:
            query = query.where(runs.c.number < before)
        return self._database.page(query, limit, "number", run_of)

    def last_finished_at(self) -> datetime | None:
        """When a run last finished, or None; a manual check of one section does not count."""
        return self._last_finished_at(_IS_OF_MANY)

    def last_succeeded_at(self) -> datetime | None:
        """As `last_finished_at`, of the runs that succeeded (`domain.run.Run.is_success`)."""
        return self._last_finished_at(_IS_OF_MANY & _IS_SUCCESS)

    def first_opened_at(self, trigger: str | None = None) -> datetime | None:
        """When the first run, or the first by `trigger`, was requested; None if none ever was.

        A manual check of one section counts under its own `trigger` only.
        """
        is_it = _IS_OF_MANY if trigger is None else runs.c.trigger == trigger
        query = select(func.min(runs.c.created_at_ms)).where(is_it)
        with self._database.read() as connection:
            return from_ms_or_none(connection.execute(query).scalar())

    def claim_ping(self, run_id: str, now: datetime) -> bool:
        """Whether the caller must send the ping of this run: True once for a run that succeeded.

        A manual check of one section does not count.
        """
        is_untold = _IS_OF_MANY & runs.c.pinged_at_ms.is_(None) & _IS_SUCCESS
        taken = update(runs).where(runs.c.id == run_id, is_untold).values(pinged_at_ms=to_ms(now))
        with self._database.write() as connection:
            return connection.execute(taken).rowcount > 0

    def start(  # noqa: PLR0913 - each is a fact of the start, by keyword
        self,
        run_id: str,
        batches: Iterable[Sequence[SectionKey]],
        *,
        suspects: Collection[SectionKey] = (),
        fence: int,
        deferred: int,
        lifetime: timedelta,
        now: datetime,
        plans: Iterable[CheckPlan] = (),
    ) -> list[int]:
        """Start a queued run with its batches; return their ids, or none if the run is no longer queued.

        `suspects` had no answer in their last run while others had: each has one attempt left. A dispatcher
        that has lost its lease to another (a higher `fence`) changes nothing.
        """
        planned = [list(batch) for batch in batches]
        started = {
            "state": RunState.RUNNING,
            "started_at_ms": to_ms(now),
            "deadline_at_ms": to_ms(now + lifetime),
            "fence": fence,
            "sections": sum(map(len, planned)) + deferred,
            "deferred": deferred,
            "reason": _still_being_checked(deferred),
        }
        with self._database.write() as connection:
            serialise(
                connection, "start of a run"
            )  # otherwise two concurrent starts would not see each other
            newest = connection.execute(_NEWEST_FENCE).scalar()
            if newest is not None and newest > fence:
                return []
            if connection.execute(_UPDATE_QUEUED, {"run_id": run_id} | started).rowcount == 0:
                return []
            spent = dict.fromkeys(suspects, MAX_ATTEMPTS - 1)
            pending = [{key: spent.get(key, 0) for key in batch} for batch in planned]
            ids = [_insert_batch(connection, run_id, batch, to_ms(now)) for batch in pending]
            check_plans.save(connection, plans)
            finish_if_done(connection, run_id, now)
            return ids

    def newest_fence(self) -> int:
        """The highest fence that has started a run, 0 before the first."""
        with self._database.read() as connection:
            return connection.execute(_NEWEST_FENCE).scalar() or 0

    def abandon(self, run_id: str, state: RunState, reason: str, now: datetime) -> None:
        """End a queued run as skipped or failed because of `reason`; releases its slot."""
        ended = {"state": state, "reason": reason, "finished_at_ms": to_ms(now), "holds_slot": False}
        with self._database.write() as connection:
            connection.execute(_UPDATE_QUEUED, {"run_id": run_id} | ended)

    def queued(self, before: datetime) -> list[str]:
        """The runs that have been waiting since `before` or longer."""
        with self._database.read() as connection:
            return list(connection.execute(_WAITING, {"before_ms": to_ms(before)}).scalars())

    def pending(self, run_id: str) -> set[SectionKey]:
        """The sections of a run that are neither checked nor failed."""
        batches = select(check_batches).where(check_batches.c.run_id == run_id)
        with self._database.read() as connection:
            rows = connection.execute(batches).mappings()
            return {key for row in rows for key in batch_of(row).pending}

    def claim_due_batches(self, now: datetime) -> list[int]:
        """The rescheduled batches that are due; the caller publishes them."""
        with self._database.write() as connection:
            return list(connection.execute(_CLAIM_DUE, {"now_ms": to_ms(now)}).scalars())

    def claim_lost_batches(self, published_before: datetime, now: datetime) -> list[int]:
        """The batches published before a time and still pending; the caller publishes them again."""
        times = {"before_ms": to_ms(published_before), "now_ms": to_ms(now)}
        with self._database.write() as connection:
            return list(connection.execute(_CLAIM_LOST, times).scalars())

    def expire(self, now: datetime, lifetime: timedelta) -> list[Batch]:
        """End what is pending in runs past their deadline, and runs that were never dispatched.

        What is not due before the deadline is left to the next run: it counts as deferred, not as failed. A
        run that checked nothing releases its slot. Returns the ended batches.
        """
        times = {"before_ms": to_ms(now - lifetime), "finished_at_ms": to_ms(now)}
        with self._database.write() as connection:
            connection.execute(_FAIL_UNDISPATCHED, times)
            rows = list(connection.execute(_UNFINISHABLE, {"now_ms": to_ms(now)}).mappings())
            for row in rows:
                is_over = row["deadline_at_ms"] <= to_ms(now)
                reason = _because(_UNANSWERED, row["cause"]) if is_over else _why_deferred(row)
                _give_up(connection, batch_of(row), "failed" if is_over else "deferred", reason, now)
            slots.release_unused(connection, {row["run_id"] for row in rows})
        return [batch_of(row) for row in rows]

    def give_up(self, batch_id: int, reason: str, now: datetime) -> Batch | None:
        """Count what is pending in a batch as failed; return the batch, or None if nothing was pending."""
        query = select(check_batches).where(check_batches.c.id == batch_id).with_for_update()
        with self._database.write() as connection:
            row = connection.execute(query).mappings().first()
            if row is None:
                return None
            _give_up(connection, batch_of(row), "failed", reason, now)
        return batch_of(row)

    def _last_finished_at(self, is_it: ColumnElement[bool]) -> datetime | None:
        is_it &= _IS_FINISHED
        query = select(func.max(runs.c.finished_at_ms)).where(is_it)
        with self._database.read() as connection:
            return from_ms_or_none(connection.execute(query).scalar())


def count(connection: Connection, run_id: str, reason: str | None = None, **counts: int) -> None:
    """Add `counts` to the run's, and `reason` if there is one; locks the run's row until the commit."""
    more = {f"more_{name}": counts.get(name, 0) for name in _COUNTS}
    connection.execute(_COUNT, {"run_id": run_id, "new_reason": reason} | more)


def finish_if_done(connection: Connection, run_id: str, now: datetime) -> bool:
    """Finish the run if nothing is pending. Call it after `count`, which orders concurrent commits."""
    return connection.execute(_FINISH, {"run_id": run_id, "finished_at_ms": to_ms(now)}).rowcount > 0


def _why_deferred(row: RowMapping) -> str:
    if row["pause"] is None:
        return _because(f"{row['source']} could not be queried again before the deadline", row["cause"])
    return f"{row['source']} is paused until after the deadline: {row['pause']}"


def _because(reason: str, cause: str | None) -> str:
    """`reason` with its `cause`, unless an earlier batch gave this very reason."""
    if not cause:
        return reason
    return cause if cause.startswith(reason) else f"{reason} ({cause})"


def _still_being_checked(deferred: int) -> str | None:
    if not deferred:
        return None
    sections = "1 section is" if deferred == 1 else f"{deferred} sections are"
    return f"{sections} still being checked for an earlier run"


def _give_up(connection: Connection, batch: Batch, counted_as: str, reason: str, now: datetime) -> None:
    """End a batch because of `reason`, and its run if it was the last."""
    connection.execute(delete(check_batches).where(check_batches.c.id == batch.id))
    count(connection, batch.run_id, reason, **{counted_as: len(batch.pending)})
    finish_if_done(connection, batch.run_id, now)


def batch_of(row: RowMapping) -> Batch:
    """The batch that a row of `check_batches` holds."""
    pending = {SectionKey(row["source"], term, number): attempts for term, number, attempts in row["pending"]}
    return Batch(row["id"], row["run_id"], row["source"], pending)


def pending_column(pending: dict[SectionKey, int]) -> list[list[str | int]]:
    """`pending` as the table holds it."""
    return [[key.term, key.number, attempts] for key, attempts in pending.items()]


def _insert_batch(
    connection: Connection, run_id: str, pending: dict[SectionKey, int], published_ms: int
) -> int:
    source = next(iter(pending)).source
    row = {"run_id": run_id, "source": source, "pending": pending_column(pending)}
    return int(connection.execute(_INSERT_BATCH, row | {"published_at_ms": published_ms}).scalar_one())


def run_of(row: RowMapping) -> Run:
    """The run that a row of `runs` holds."""
    return Run(
        id=row["id"],
        trigger=row["trigger"],
        stagger=Stagger(row["stagger"]),
        slot=from_ms(row["slot_ms"]),
        state=RunState(row["state"]),
        created_at=from_ms(row["created_at_ms"]),
        reason=row["reason"],
        **{name: row[name] for name in _COUNTS},
        started_at=from_ms_or_none(row["started_at_ms"]),
        finished_at=from_ms_or_none(row["finished_at_ms"]),
    )
