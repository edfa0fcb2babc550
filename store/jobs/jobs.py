"""Jobs: requests and results. Their execution writes through `store.jobs.execution`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, select, update

from domain.job import (
    FINAL,
    JobPhase,
    JobRecord,
    JobState,
    NewJob,
    Profile,
    Progress,
    StepRecord,
    StepState,
    WaitEnd,
    WaitingFor,
    WaitKind,
    job_id_of,
    workflow_id,
)
from store import audit
from store.audit import AuditEntry
from store.database import Database, from_ms, from_ms_or_none, insert_new, to_ms
from store.jobs.waits import end_wait
from store.schema import job_callbacks, job_signals, job_steps, jobs

_ACTIVE = jobs.c.state.not_in(sorted(FINAL))
_NOT_ENQUEUED = (jobs.c.state == JobState.QUEUED) & jobs.c.enqueued_at_ms.is_(None)
_PUBLISHED_AT_ONCE = 500


class Jobs:
    """The rows of `jobs` and `job_steps`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: NewJob, now: datetime, entry: AuditEntry | None = None) -> tuple[JobRecord, bool]:
        """Return a queued job and True, or the first job of its key and False."""
        with self._database.write() as connection:
            job_id, created = write(connection, new, now)
            audit.write(connection, entry if created else None, subject=f"job/{job_id}")
        return self._known(job_id), created

    def get(self, job_id: str) -> JobRecord | None:
        """Return the job with its steps, or None when there is no such job."""
        steps = select(job_steps).where(job_steps.c.job_id == job_id).order_by(job_steps.c.id)
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
            rows = list(connection.execute(steps).mappings())
        return None if row is None else record_of(row, rows)

    def page(
        self, before: int | None, limit: int, *, kind: str | None = None, state: JobState | None = None
    ) -> tuple[list[JobRecord], int | None]:
        """Return the newest jobs before the cursor `before`, without steps, and the next cursor."""
        query = select(jobs).order_by(jobs.c.number.desc())
        for column, value in ((jobs.c.kind, kind), (jobs.c.state, state)):
            query = query if value is None else query.where(column == value)
        if before is not None:
            query = query.where(jobs.c.number < before)
        return self._database.page(query, limit, "number", record_of)

    def request_cancel(self, job_id: str, now: datetime, entry: AuditEntry | None = None) -> JobRecord | None:
        """Request cancellation unless the job has ended; return the job, or None for an unknown one."""
        request = update(jobs).where(jobs.c.id == job_id, _ACTIVE, jobs.c.cancel_requested_at_ms.is_(None))
        with self._database.write() as connection:
            found = connection.execute(request.values(cancel_requested_at_ms=to_ms(now)))
            if found.rowcount:
                end_wait(connection, jobs.c.id == job_id, WaitEnd.CANCEL, now)
            audit.write(connection, entry if found.rowcount else None)
        return self.get(job_id)

    def mark_enqueued(self, job_id: str, now: datetime, phase: int = 0) -> None:
        """Record that the engine has this phase of the job: from now on it needs no message."""
        is_due = (jobs.c.id == job_id) & (jobs.c.phase_number == phase) & jobs.c.wait_kind.is_(None)
        taken = update(jobs).where(is_due, jobs.c.enqueued_at_ms.is_(None))
        with self._database.write() as connection:
            connection.execute(taken.values(enqueued_at_ms=to_ms(now)))

    def enqueued(self, after: int, limit: int) -> dict[int, str]:
        """Return the workflow ids that the engine should have, by the job's number, after `after`."""
        query = select(jobs.c.number, jobs.c.id, jobs.c.phase_number).where(
            _ACTIVE, jobs.c.enqueued_at_ms.is_not(None), jobs.c.number > after
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(jobs.c.number).limit(limit))
            return {row.number: workflow_id(row.id, row.phase_number) for row in rows}

    def requeue(self, workflow_ids: Sequence[str]) -> None:
        """Queue active jobs again, from the first step of their phase: what steps stored may be lost."""
        ids = list(map(job_id_of, workflow_ids))
        active = select(jobs.c.id).where(jobs.c.id.in_(ids), _ACTIVE)
        steps = update(job_steps).where(job_steps.c.job_id.in_(active)).values(outcome=None)
        queued = {"state": JobState.QUEUED, "enqueued_at_ms": None}
        with self._database.write() as connection:
            connection.execute(steps)
            connection.execute(update(jobs).where(jobs.c.id.in_(ids), _ACTIVE).values(queued))

    def claim_lost(self, profile: Profile, published_before: datetime, now: datetime) -> list[str]:
        """Return the oldest jobs of `profile` that the engine does not have, published before a time.

        They count as published now, so that only one caller gets each.
        """
        is_lost = _NOT_ENQUEUED & (jobs.c.profile == profile)
        is_lost &= jobs.c.published_at_ms <= to_ms(published_before)
        oldest = select(jobs.c.id).where(is_lost).order_by(jobs.c.number).limit(_PUBLISHED_AT_ONCE)
        with self._database.read() as connection:
            ids = list(connection.execute(oldest).scalars())
        if not ids:
            return []
        claimed = update(jobs).where(jobs.c.id.in_(ids), is_lost).values(published_at_ms=to_ms(now))
        with self._database.write() as connection:
            return list(connection.execute(claimed.returning(jobs.c.id)).scalars())

    def cancelled_in_queue(self, requested_before: datetime) -> list[str]:
        """Return queued jobs whose cancellation was requested before a time."""
        is_waiting = (jobs.c.state == JobState.QUEUED) & (
            jobs.c.cancel_requested_at_ms <= to_ms(requested_before)
        )
        query = select(jobs.c.id).where(is_waiting).order_by(jobs.c.number).limit(_PUBLISHED_AT_ONCE)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def counts(self) -> Mapping[tuple[str, JobState], int]:
        """Return the number of jobs by kind and state, without zeros."""
        query = select(jobs.c.kind, jobs.c.state, func.count()).group_by(jobs.c.kind, jobs.c.state)
        with self._database.read() as connection:
            return {(kind, JobState(state)): n for kind, state, n in connection.execute(query)}

    def attempts(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Return the attempts at steps of each job, without zeros."""
        query = select(job_steps.c.job_id, func.sum(job_steps.c.attempts)).where(job_steps.c.job_id.in_(ids))
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(job_steps.c.job_id))
            return {job_id: int(attempts) for job_id, attempts in rows}

    def oldest_queued_at(self) -> Mapping[Profile, datetime]:
        """Return since when the oldest queued job of each profile is queued: created, or answered."""
        queued_at_ms = func.coalesce(jobs.c.wait_ended_at_ms, jobs.c.created_at_ms)
        query = select(jobs.c.profile, func.min(queued_at_ms)).where(jobs.c.state == JobState.QUEUED)
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(jobs.c.profile))
            return {Profile(profile): from_ms(at_ms) for profile, at_ms in rows}

    def ended_before(self, moment: datetime, limit: int) -> list[str]:
        """Return up to `limit` jobs that ended before a time, the oldest first."""
        query = select(jobs.c.id).where(jobs.c.finished_at_ms < to_ms(moment))
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(jobs.c.finished_at_ms).limit(limit)).scalars())

    def workflow_ids(self, ids: Sequence[str]) -> list[str]:
        """Return the workflow ids of every phase of these jobs."""
        query = select(jobs.c.id, jobs.c.phase_number).where(jobs.c.id.in_(ids))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [workflow_id(job_id, phase) for job_id, last in rows for phase in range(last + 1)]

    def purge(self, ids: Sequence[str]) -> None:
        """Delete jobs that have ended, with their steps, signals and callbacks."""
        with self._database.write() as connection:
            for table in (job_steps, job_signals, job_callbacks):
                connection.execute(delete(table).where(table.c.job_id.in_(ids)))
            connection.execute(delete(jobs).where(jobs.c.id.in_(ids), ~_ACTIVE))

    def _known(self, job_id: str) -> JobRecord:
        found = self.get(job_id)
        if found is None:
            raise AssertionError(f"the job {job_id} has vanished")
        return found


def write(connection: Connection, new: NewJob, now: datetime) -> tuple[str, bool]:
    """Add a job in the caller's transaction, so that it commits with its cause.

    Returns the id of the queued job and True, or of the first job of its key and False. The caller publishes
    its message after the commit.
    """
    row = {
        "id": uuid4().hex,
        "kind": new.kind,
        "profile": new.profile,
        "state": JobState.QUEUED,
        "input": new.input,
        "idempotency_key": new.idempotency_key,
        "webhook_url": new.webhook_url,
        "retry_of": new.retry_of,
        "created_at_ms": to_ms(now),
        "published_at_ms": to_ms(now),
    }
    if insert_new(connection, jobs, row):
        return str(row["id"]), True
    return connection.execute(select(jobs.c.id).where(_is_same(new))).scalar_one(), False


def _is_same(new: NewJob) -> ColumnElement[bool]:
    if new.idempotency_key is not None:
        return jobs.c.idempotency_key == new.idempotency_key
    return jobs.c.retry_of == new.retry_of


def record_of(row: RowMapping, steps: Sequence[RowMapping] = ()) -> JobRecord:
    """Return the job of a row of `jobs` and its rows of `job_steps`."""
    texts = ("error", "retry_of", "idempotency_key", "webhook_url")
    copied: dict[str, Any] = {name: row[name] for name in ("number", "id", "kind", "input", "result", *texts)}
    return JobRecord(
        **copied,
        profile=Profile(row["profile"]),
        state=JobState(row["state"]),
        created_at=from_ms(row["created_at_ms"]),
        progress=Progress(row["done"], row["total"], row["message"]),
        phase=_phase(row),
        waiting_for=_waiting_for(row),
        steps=tuple(map(_step, steps)),
        started_at=from_ms_or_none(row["started_at_ms"]),
        cancel_requested_at=from_ms_or_none(row["cancel_requested_at_ms"]),
        finished_at=from_ms_or_none(row["finished_at_ms"]),
    )


def _phase(row: RowMapping) -> JobPhase:
    by = row["wait_ended_by"]
    return JobPhase(
        number=row["phase_number"],
        name=row["phase"],
        state=row["phase_state"] or {},
        version=row["phase_version"],
        ended_by=None if by is None else WaitEnd(by),
        preview_version=row["preview_version"],
    )


def _waiting_for(row: RowMapping) -> WaitingFor | None:
    if row["wait_kind"] is None:
        return None
    return WaitingFor(WaitKind(row["wait_kind"]), from_ms(row["wait_until_ms"]), row["preview_version"])


def _step(row: RowMapping) -> StepRecord:
    return StepRecord(
        name=row["name"],
        state=StepState(row["state"]),
        attempts=row["attempts"],
        started_at=from_ms(row["started_at_ms"]),
        finished_at=from_ms_or_none(row["finished_at_ms"]),
        due_at=from_ms_or_none(row["due_at_ms"]),
        error=row["error"],
    )
