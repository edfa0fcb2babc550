"""Jobs that wait for a person: parked rows, their signals and their time limits.

A parked job is only a row. Whatever ends its wait queues its next phase in the same transaction, so a crash
before the message is published loses nothing: the reconciler publishes queued jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select, update

from domain.errors import ConflictError
from domain.job import FINAL, JobState, SignalName, WaitEnd, WaitFor
from store import audit
from store.audit import AuditEntry
from store.database import Database, to_ms
from store.schema import job_signals, jobs

PARKED = (jobs.c.state == JobState.WAITING) & jobs.c.wait_kind.is_not(None)
_EXPIRED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Signal:
    """A person's answer; `id` is the caller's, `preview_version` the version that the person has seen."""

    id: str
    name: SignalName
    preview_version: int


class JobWaits:
    """The waits of jobs, and the rows of `job_signals`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def signal(
        self, job_id: str, signal: Signal, now: datetime, entry: AuditEntry | None = None
    ) -> bool | None:
        """Store the signal; return False if its id is known, None for an unknown job.

        It ends the wait of a parked job. Otherwise it is kept for the next wait. Raises: ConflictError when
        the job has ended or is being cancelled, or the signal is for another version.
        """
        with self._database.write() as connection:
            job = connection.execute(select(jobs).where(jobs.c.id == job_id).with_for_update()).mappings()
            if (row := job.first()) is None:
                return None
            if _is_known(connection, job_id, signal.id):
                return False
            is_parked = row["wait_kind"] is not None
            _require_current(row, signal, is_parked=is_parked)
            _add(connection, job_id, signal, now, is_consumed=is_parked)
            if is_parked:
                end_wait(connection, jobs.c.id == job_id, WaitEnd(signal.name), now)
            audit.write(connection, entry)
        return True

    def expire(self, now: datetime) -> list[str]:
        """End the waits whose time limit has passed; return the jobs, for the caller to publish."""
        is_expired = PARKED & (jobs.c.wait_until_ms <= to_ms(now))
        oldest = select(jobs.c.id).where(is_expired).order_by(jobs.c.wait_until_ms).limit(_EXPIRED_AT_ONCE)
        with self._database.read() as connection:
            ids = list(connection.execute(oldest).scalars())
        if not ids:
            return []
        with self._database.write() as connection:
            return end_wait(connection, jobs.c.id.in_(ids) & is_expired, WaitEnd.TIMEOUT, now)


def end_wait(connection: Connection, which: ColumnElement[bool], by: WaitEnd, now: datetime) -> list[str]:
    """End the waits of parked jobs and queue their next phases; return the jobs."""
    values = {
        "state": JobState.QUEUED,
        "phase_number": jobs.c.phase_number + 1,
        "wait_kind": None,
        "wait_until_ms": None,
        "wait_ended_by": by,
        "wait_ended_at_ms": to_ms(now),
        "starts": 0,
        "enqueued_at_ms": None,
        "published_at_ms": to_ms(now),
    }
    ended = update(jobs).where(which, PARKED).values(values).returning(jobs.c.id)
    return list(connection.execute(ended).scalars())


def next_preview(connection: Connection, job_id: str) -> int:
    """Return the new version of what a parked job shows, in the transaction that changes it.

    Signals for earlier versions are stale from now on. Raises: ConflictError when the job is not parked.
    """
    raised = update(jobs).where(jobs.c.id == job_id, PARKED)
    version = jobs.c.preview_version
    found = connection.execute(raised.values(preview_version=version + 1).returning(version)).scalar()
    if found is None:
        raise ConflictError("the job does not wait for an answer")
    return int(found)


def park(connection: Connection, job_id: str, preview_version: int, wait: WaitFor, now: datetime) -> bool:
    """Park a job that the caller holds; return whether a kept signal ends the wait at once."""
    values: Mapping[str, Any] = {
        "state": JobState.WAITING,
        "phase": wait.phase,
        "phase_state": wait.state,
        "phase_version": wait.version,
        "wait_kind": wait.kind,
        "wait_until_ms": to_ms(now + wait.limit),
        "preview_version": preview_version,
        "enqueued_at_ms": None,
    }
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))
    name = _take_kept(connection, job_id, preview_version, now)
    if name is None:
        return False
    return bool(end_wait(connection, jobs.c.id == job_id, WaitEnd(name), now))


def _take_kept(connection: Connection, job_id: str, version: int, now: datetime) -> str | None:
    """Consume the kept signals; return the name of the first one for `version`."""
    is_kept = (job_signals.c.job_id == job_id) & job_signals.c.consumed_at_ms.is_(None)
    kept = select(job_signals.c.name).where(is_kept, job_signals.c.preview_version == version)
    name = connection.execute(kept.order_by(job_signals.c.number).limit(1)).scalar()
    connection.execute(update(job_signals).where(is_kept).values(consumed_at_ms=to_ms(now)))
    return name


def _is_known(connection: Connection, job_id: str, signal_id: str) -> bool:
    is_same = (job_signals.c.job_id == job_id) & (job_signals.c.signal_id == signal_id)
    return connection.execute(select(job_signals.c.number).where(is_same)).first() is not None


def _require_current(row: RowMapping, signal: Signal, *, is_parked: bool) -> None:
    if row["state"] in FINAL:
        raise ConflictError(f"the job is already {row['state']}")
    if row["cancel_requested_at_ms"] is not None:
        raise ConflictError("the job is being cancelled")
    current = row["preview_version"] if is_parked else row["preview_version"] + 1
    if signal.preview_version != current:
        raise ConflictError(f"the preview version {signal.preview_version} is stale: expected {current}")


def _add(connection: Connection, job_id: str, signal: Signal, now: datetime, *, is_consumed: bool) -> None:
    row = {
        "job_id": job_id,
        "signal_id": signal.id,
        "name": signal.name,
        "preview_version": signal.preview_version,
        "received_at_ms": to_ms(now),
        "consumed_at_ms": to_ms(now) if is_consumed else None,
    }
    connection.execute(insert(job_signals).values(row))
