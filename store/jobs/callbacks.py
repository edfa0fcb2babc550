"""Pending callbacks: ended jobs whose callers are still to be notified."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select, update

from store.database import Database, from_ms_or_none, to_ms
from store.schema import job_callbacks


@dataclass(frozen=True, slots=True)
class JobCallback:
    """One pending callback. `attempts` counts earlier attempts and is the fence of its claim."""

    job_id: str
    url: str = field(repr=False)
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class CallbackRecord:
    """The state of one callback: due at `due_at`, or ended at `ended_at`, with an `error` if it failed."""

    attempts: int
    error: str | None
    due_at: datetime | None
    ended_at: datetime | None


class JobCallbacks:
    """The rows of `job_callbacks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, job_id: str) -> CallbackRecord | None:
        """Return the state of the job's callback; None if it has none or has not ended."""
        with self._database.read() as connection:
            row = connection.execute(select(job_callbacks).where(job_callbacks.c.job_id == job_id)).first()
        if row is None:
            return None
        due_at, ended_at = from_ms_or_none(row.due_at_ms), from_ms_or_none(row.ended_at_ms)
        return CallbackRecord(row.attempts, row.error, due_at, ended_at)

    def claim(self, now: datetime, *, lease: timedelta) -> JobCallback | None:
        """Claim the callback that is due first for the time of `lease`; return None when none is due.

        One at a time, so that the lease covers one request.
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
        """Return whether `claim` would find one."""
        query = select(job_callbacks.c.job_id).where(job_callbacks.c.due_at_ms <= to_ms(now)).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def reschedule(self, callback: JobCallback, due_at: datetime, error: str) -> None:
        """Retry at `due_at` after `error`, unless another process has claimed it since."""
        self._update(callback, due_at_ms=to_ms(due_at), error=error)

    def end(self, callback: JobCallback, now: datetime, error: str | None = None) -> None:
        """Record that it was sent or, with an `error`, given up, unless another process claimed it since."""
        self._update(callback, due_at_ms=None, ended_at_ms=to_ms(now), error=error)

    def _update(self, callback: JobCallback, **values: int | str | None) -> None:
        is_held = (job_callbacks.c.job_id == callback.job_id) & (
            job_callbacks.c.attempts == callback.attempts + 1
        )
        with self._database.write() as connection:
            connection.execute(update(job_callbacks).where(is_held).values(values))
