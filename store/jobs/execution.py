"""Writes of the process that executes a job.

A process that claims a job raises its fence. Every write names its fence and changes nothing once a higher
one exists, so a process that was presumed dead cannot disturb its successor.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, insert, select, update

from domain.errors import RollcallError
from domain.job import FINAL, JobRecord, JobState, JsonObject, Progress, StepState
from store.database import Database, to_ms
from store.jobs.jobs import record_of
from store.schema import job_callbacks, job_steps, jobs


class JobLostError(RollcallError):
    """Another process has taken the job up, or it has ended."""


@dataclass(frozen=True, slots=True)
class JobLease:
    """A job in hand, under the fence of whoever took it up."""

    job: JobRecord
    fence: int


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job stands before an attempt at a step, which has had its `failures`.

    Shape: `crashes` counts how often the job's process died at work since a step of it was last settled; a
    step that `is_tried` has had an attempt that a breaker let through, and may have had its effect; one that
    `is_done` succeeded, and its process died before the engine had kept that.
    """

    crashes: int
    failures: int
    is_cancel_requested: bool
    is_tried: bool = False
    is_done: bool = False


class JobExecution:
    """Writes of one process. Raises: JobLostError from every method that takes a hold."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, job_id: str, executor: str, now: datetime) -> JobLease | None:
        """Take the job up; None when it has ended.

        A job that is found at work lost its process there. One that waits, or was released, did not.
        """
        columns, at = jobs.c, to_ms(now)
        values = {
            columns.state: JobState.RUNNING,
            columns.executor: executor,
            columns.fence: columns.fence + 1,
            columns.starts: case(
                (columns.state == JobState.RUNNING, columns.starts + 1), else_=columns.starts
            ),
        }
        is_active = (columns.id == job_id) & columns.state.not_in(sorted(FINAL))
        with self._database.write() as connection:
            taken = connection.execute(update(jobs).where(is_active).values(values).returning(jobs))
            row = taken.mappings().first()
            if row is not None and row["started_at_ms"] is None:
                connection.execute(update(jobs).where(columns.id == job_id).values(started_at_ms=at))
        return None if row is None else JobLease(record_of(row), row["fence"])

    def release(self, executor: str) -> None:
        """Let go of what `executor` has in hand as it stops: that it was interrupted is no crash."""
        in_hand = (jobs.c.executor == executor) & (jobs.c.state == JobState.RUNNING)
        with self._database.write() as connection:
            connection.execute(update(jobs).where(in_hand).values(state=JobState.WAITING))

    def stand(self, hold: JobLease, step: str) -> JobStatus:
        """Where the job stands before an attempt at `step`."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(_is_held(hold))).mappings().first()
            step_columns = job_steps.c.failures, job_steps.c.state, job_steps.c.attempts
            found = connection.execute(select(*step_columns).where(_is_step(hold, step))).first()
        if row is None:
            raise _lost(hold)
        is_cancel_requested = row["cancel_requested_at_ms"] is not None
        failures, state, attempts = found or (0, None, 0)
        is_done = state == StepState.SUCCEEDED
        return JobStatus(row["starts"], failures, is_cancel_requested, attempts > 0, is_done)

    def attempt(self, hold: JobLease, step: str, now: datetime) -> None:
        """Note that an attempt at `step` begins."""
        values = {"state": StepState.RUNNING, "due_at_ms": None, "finished_at_ms": None}
        with self._database.write() as connection:
            _change(connection, hold, state=JobState.RUNNING)
            made = job_steps.c.attempts + 1
            known = update(job_steps).where(_is_step(hold, step)).values(values | {"attempts": made})
            if connection.execute(known).rowcount == 0:
                row = {"job_id": hold.job.id, "name": step, "attempts": 1, "started_at_ms": to_ms(now)}
                connection.execute(insert(job_steps).values(values | row))

    def wait(self, hold: JobLease, step: str, due_at: datetime, error: str, *, failed: bool) -> None:
        """Note that `step` goes on at `due_at`, and why not at once: its attempt failed, or was not made."""
        columns = job_steps.c
        counts = {"failures": columns.failures + 1} if failed else {"attempts": columns.attempts - 1}
        values: dict[str, Any] = {"state": StepState.WAITING, "due_at_ms": to_ms(due_at), "error": error}
        with self._database.write() as connection:
            _change(connection, hold, state=JobState.WAITING)
            connection.execute(update(job_steps).where(_is_step(hold, step)).values(values | counts))

    def settle(
        self, hold: JobLease, step: str, state: StepState, now: datetime, error: str | None = None
    ) -> None:
        """Note how `step` ended."""
        values = {"state": state, "error": error, "due_at_ms": None, "finished_at_ms": to_ms(now)}
        with self._database.write() as connection:
            _change(connection, hold, state=JobState.RUNNING, starts=0)
            connection.execute(update(job_steps).where(_is_step(hold, step)).values(values))

    def tell(self, hold: JobLease, progress: Progress) -> None:
        """Note how far the job is."""
        told = {"done": progress.done, "total": progress.total, "message": progress.message}
        with self._database.write() as connection:
            _change(connection, hold, **told)

    def end(
        self,
        hold: JobLease,
        state: JobState,
        now: datetime,
        *,
        result: JsonObject | None = None,
        error: str | None = None,
        call: str | None = None,
    ) -> None:
        """End the job; `call` is what its caller is told, if there is an address for that."""
        with self._database.write() as connection:
            if _is_ended_by(connection, hold):
                return  # our own commit, whose answer was lost
            _change(connection, hold, state=state, result=result, error=error, finished_at_ms=to_ms(now))
            if call is not None:
                row = {"job_id": hold.job.id, "url": hold.job.webhook_url, "body": call}
                connection.execute(insert(job_callbacks).values(row | {"due_at_ms": to_ms(now)}))


def _is_ended_by(connection: Connection, hold: JobLease) -> bool:
    """Whether the job has ended under this hold; nobody else could have ended it."""
    is_ours = (jobs.c.id == hold.job.id) & (jobs.c.fence == hold.fence) & jobs.c.state.in_(sorted(FINAL))
    return connection.execute(select(jobs.c.id).where(is_ours)).first() is not None


def _change(connection: Connection, hold: JobLease, **values: Any) -> None:
    if connection.execute(update(jobs).where(_is_held(hold)).values(values)).rowcount == 0:
        raise _lost(hold)


def _lost(hold: JobLease) -> JobLostError:
    return JobLostError(f"the job {hold.job.id} was taken up by another process, or has ended")


def _is_held(hold: JobLease) -> ColumnElement[bool]:
    columns = jobs.c
    return (columns.id == hold.job.id) & (columns.fence == hold.fence) & columns.state.not_in(sorted(FINAL))


def _is_step(hold: JobLease, step: str) -> ColumnElement[bool]:
    return (job_steps.c.job_id == hold.job.id) & (job_steps.c.name == step)
