"""Runs and their batches: what was asked for, what is pending, what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from domain.run import Batch, Run, RunState
from domain.section import SectionKey, Stagger
from store.database import Database
from store.moments import from_ms, from_ms_or_none, to_ms
from store.schema import check_batches, runs

_COUNTS = ("sections", "checked", "failed", "deferred", "changed", "notifications")


class Runs:
    """The rows of `runs` and `check_batches`. What a run found is written by `store.checks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(
        self, trigger: str, stagger: Stagger, slot: datetime, now: datetime, *, force: bool
    ) -> tuple[Run, bool]:
        """A queued run and True, or the run that this slot already has and False."""
        row = {
            "id": uuid4().hex,
            "trigger": trigger,
            "stagger": stagger,
            "slot_ms": to_ms(slot),
            "forced": force,
            "state": RunState.QUEUED,
            "created_at_ms": to_ms(now),
        }
        try:
            with self._database.write() as connection:
                connection.execute(insert(runs).values(row))
        except IntegrityError:
            same_slot = (runs.c.stagger == stagger) & (runs.c.slot_ms == to_ms(slot)) & ~runs.c.forced
            return self._one(same_slot), False
        return self._one(runs.c.id == row["id"]), True

    def get(self, run_id: str) -> Run | None:
        """The run, or None when there is no such run."""
        with self._database.read() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
        return None if row is None else _run(row)

    def page(self, before: int | None, limit: int) -> tuple[list[Run], int | None]:
        """The newest runs, older than the cursor `before`, and the next cursor."""
        query = select(runs).order_by(runs.c.number.desc()).limit(limit + 1)
        if before is not None:
            query = query.where(runs.c.number < before)
        with self._database.read() as connection:
            rows = list(connection.execute(query).mappings())
        return [_run(row) for row in rows[:limit]], rows[limit - 1]["number"] if len(rows) > limit else None

    def last_finished_at(self) -> datetime | None:
        """When a run last finished, or None when none ever has."""
        query = select(func.max(runs.c.finished_at_ms)).where(runs.c.state == RunState.FINISHED)
        with self._database.read() as connection:
            return from_ms_or_none(connection.execute(query).scalar())

    def first_opened_at(self, trigger: str | None = None) -> datetime | None:
        """When the first run, or the first by `trigger`, was asked for; None when none ever was."""
        query = select(func.min(runs.c.created_at_ms))
        if trigger is not None:
            query = query.where(runs.c.trigger == trigger)
        with self._database.read() as connection:
            return from_ms_or_none(connection.execute(query).scalar())

    def take_ping(self, run_id: str, now: datetime) -> bool:
        """Whether the caller shall tell the world that the run has finished: True once a finished run."""
        is_untold = runs.c.pinged_at_ms.is_(None) & (runs.c.state == RunState.FINISHED)
        taken = update(runs).where(runs.c.id == run_id, is_untold).values(pinged_at_ms=to_ms(now))
        with self._database.write() as connection:
            return connection.execute(taken).rowcount > 0

    def totals(self) -> dict[str, int]:
        """The sum of each count over all runs."""
        columns = [func.coalesce(func.sum(runs.c[name]), 0).label(name) for name in _COUNTS]
        with self._database.read() as connection:
            row = connection.execute(select(*columns)).mappings().one()
        return {name: int(row[name]) for name in _COUNTS}

    def start(
        self,
        run_id: str,
        batches: Iterable[Sequence[SectionKey]],
        *,
        fence: int,
        deferred: int,
        lifetime: timedelta,
        now: datetime,
    ) -> list[int]:
        """Set a queued run going with its batches; their ids, or none when the run is no longer queued.

        A dispatcher whose lease has passed to another (a higher `fence`) changes nothing.
        """
        started, planned = to_ms(now), [list(batch) for batch in batches]
        is_ours = (runs.c.id == run_id) & (runs.c.state == RunState.QUEUED)
        total = sum(map(len, planned)) + deferred
        with self._database.write() as connection:
            newest = connection.execute(select(func.max(runs.c.fence))).scalar()
            if newest is not None and newest > fence:
                return []
            values = {"state": RunState.RUNNING, "started_at_ms": started, "fence": fence, "sections": total}
            deadline = to_ms(now + lifetime)
            found = connection.execute(
                update(runs)
                .where(is_ours)
                .values(values | {"deferred": deferred, "deadline_at_ms": deadline})
            )
            if found.rowcount == 0:
                return []
            ids = [_insert_batch(connection, run_id, batch, started) for batch in planned]
            finish_if_done(connection, run_id, now)
            return ids

    def abandon(self, run_id: str, state: RunState, reason: str, now: datetime) -> None:
        """End a queued run as skipped or failed, and say why."""
        with self._database.write() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.id == run_id, runs.c.state == RunState.QUEUED)
                .values(state=state, reason=reason, finished_at_ms=to_ms(now))
            )

    def queued(self, before: datetime) -> list[str]:
        """The runs that have been waiting since `before` or longer."""
        query = select(runs.c.id).where(
            runs.c.state == RunState.QUEUED, runs.c.created_at_ms <= to_ms(before)
        )
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(runs.c.number)).scalars())

    def take_due_batches(self, now: datetime) -> list[int]:
        """The parked batches whose time has come; the caller publishes them."""
        columns, at = check_batches.c, to_ms(now)
        with self._database.write() as connection:
            due = connection.execute(
                update(check_batches)
                .where(columns.due_at_ms <= at)
                .values(due_at_ms=None, published_at_ms=at)
                .returning(columns.id)
            )
            return list(due.scalars())

    def take_lost_batches(self, published_before: datetime, now: datetime) -> list[int]:
        """The batches published before a time and still pending; the caller publishes them again."""
        columns = check_batches.c
        lost = columns.due_at_ms.is_(None) & (columns.published_at_ms <= to_ms(published_before))
        with self._database.write() as connection:
            taken = update(check_batches).where(lost).values(published_at_ms=to_ms(now)).returning(columns.id)
            return list(connection.execute(taken).scalars())

    def expire(self, now: datetime, lifetime: timedelta) -> list[Batch]:
        """Give up what is pending of runs past their deadline, and runs that were never dispatched.

        Returns the batches given up.
        """
        overdue = (
            select(check_batches)
            .join(runs, runs.c.id == check_batches.c.run_id)
            .where(runs.c.deadline_at_ms <= to_ms(now))
            .with_for_update(of=check_batches)
        )
        forgotten = (runs.c.state == RunState.QUEUED) & (runs.c.created_at_ms <= to_ms(now - lifetime))
        failed = {"state": RunState.FAILED, "reason": "was never dispatched", "finished_at_ms": to_ms(now)}
        with self._database.write() as connection:
            connection.execute(update(runs).where(forgotten).values(failed))
            batches = [batch_of(row) for row in connection.execute(overdue).mappings()]
            for batch in batches:
                connection.execute(delete(check_batches).where(check_batches.c.id == batch.id))
                count(connection, batch.run_id, failed=len(batch.pending))
                finish_if_done(connection, batch.run_id, now)
        return batches

    def _one(self, condition: Any) -> Run:
        with self._database.read() as connection:
            return _run(connection.execute(select(runs).where(condition)).mappings().one())


def count(connection: Connection, run_id: str, **counts: int) -> None:
    """Add `counts` to the run's; it also locks the run's row until the commit."""
    columns = runs.c
    connection.execute(
        update(runs)
        .where(columns.id == run_id)
        .values({name: columns[name] + n for name, n in counts.items()})
    )


def finish_if_done(connection: Connection, run_id: str, now: datetime) -> bool:
    """Finish the run when nothing of it is pending. Call it after `count`, which orders rival commits."""
    is_pending = exists().where(check_batches.c.run_id == run_id)
    finished = connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.state == RunState.RUNNING, ~is_pending)
        .values(state=RunState.FINISHED, finished_at_ms=to_ms(now))
    )
    return finished.rowcount > 0


def batch_of(row: RowMapping) -> Batch:
    """The batch that a row of `check_batches` holds."""
    pending = {SectionKey(row["source"], term, number): attempts for term, number, attempts in row["pending"]}
    return Batch(row["id"], row["run_id"], row["source"], pending)


def pending_column(pending: dict[SectionKey, int]) -> list[list[str | int]]:
    """`pending` as the table holds it."""
    return [[key.term, key.number, attempts] for key, attempts in pending.items()]


def _insert_batch(connection: Connection, run_id: str, keys: Sequence[SectionKey], published_ms: int) -> int:
    pending = pending_column(dict.fromkeys(keys, 0))
    row = {"run_id": run_id, "source": keys[0].source, "pending": pending, "published_at_ms": published_ms}
    return int(
        connection.execute(insert(check_batches).values(row).returning(check_batches.c.id)).scalar_one()
    )


def _run(row: RowMapping) -> Run:
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
