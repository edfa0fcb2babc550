"""Pending callbacks: ended jobs whose callers are still to be notified."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select, update

from store.database import Database, from_ms_or_none, to_ms
from store.schema import job_callbacks


@dataclass(frozen=True, slots=True)
class JobCallback:
    """One end that is to be told; `attempts` were made before, and are the fence of whoever holds it."""

    job_id: str
    url: str = field(repr=False)
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class CallRecord:
    """How one telling stands: tried next at `due_at`, or over since `ended_at`; with an `error`, in vain."""

    attempts: int
    error: str | None
    due_at: datetime | None
    ended_at: datetime | None


class JobCallbacks:
    """The rows of `job_calls`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, job_id: str) -> CallRecord | None:
        """How the telling of a job's end stands, or None where there is nothing to tell, or not yet."""
        with self._database.read() as connection:
            row = connection.execute(select(job_callbacks).where(job_callbacks.c.job_id == job_id)).first()
        if row is None:
            return None
        due_at, ended_at = from_ms_or_none(row.due_at_ms), from_ms_or_none(row.ended_at_ms)
        return CallRecord(row.attempts, row.error, due_at, ended_at)

    def claim(self, now: datetime, *, lease: timedelta) -> JobCallback | None:
        """What is due first, nobody else's for the time of `lease`, or None.

        One at a time, so that the lease covers one call and no queue of them.
        """
        columns = job_callbacks.c
        query = select(job_callbacks).where(columns.due_at_ms <= to_ms(now)).order_by(columns.due_at_ms)
        with self._database.write() as connection:
            due = query.limit(1).with_for_update(skip_locked=True)
            row = connection.execute(due).mappings().first()
            if row is None:
                return None
            values = {"due_at_ms": to_ms(now + lease), "attempts": columns.attempts + 1}
            connection.execute(update(job_callbacks).where(columns.job_id == row["job_id"]).values(values))
        return JobCallback(row["job_id"], row["url"], row["body"], row["attempts"])

    def is_due(self, now: datetime) -> bool:
        """Whether `claim` would find any."""
        query = select(job_callbacks.c.job_id).where(job_callbacks.c.due_at_ms <= to_ms(now)).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def postpone(self, call: JobCallback, due_at: datetime, error: str) -> None:
        """Tell it at `due_at`, unless its lease has passed to another; `error` says why not now."""
        self._update(call, due_at_ms=to_ms(due_at), error=error)

    def end(self, call: JobCallback, now: datetime, error: str | None = None) -> None:
        """It was told; or, with an `error`, it never will be. Changes nothing once another holds it."""
        self._update(call, due_at_ms=None, ended_at_ms=to_ms(now), error=error)

    def _update(self, call: JobCallback, **values: int | str | None) -> None:
        is_held = (job_callbacks.c.job_id == call.job_id) & (job_callbacks.c.attempts == call.attempts + 1)
        with self._database.write() as connection:
            connection.execute(update(job_callbacks).where(is_held).values(values))
