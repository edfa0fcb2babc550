"""Writes of the process that executes a job.

A process that claims a job raises its fence. Every write names its fence and changes nothing once a higher
one exists, so a process that was presumed dead cannot disturb its successor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, insert, select, update

from domain.errors import RollcallError
from domain.job import FINAL, JobRecord, JobState, JsonObject, Progress, StepOutcome, StepState, WaitFor
from store.database import Database, to_ms
from store.jobs.jobs import record_of
from store.jobs.waits import park
from store.schema import job_callbacks, job_steps, jobs

_ENDED_STEPS = (StepState.SUCCEEDED, StepState.FAILED, StepState.CANCELLED)


class JobLostError(RollcallError):
    """Another process has claimed the job, or it has ended."""


@dataclass(frozen=True, slots=True)
class JobLease:
    """A claimed job, under the fence of its process.

    Shape: `outcomes` has one entry per step that was begun before; None while the step has not ended.
    """

    job: JobRecord
    fence: int
    outcomes: Mapping[str, StepOutcome | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The state of a job before an attempt at a step that has failed `failures` times.

    Shape: `crashes` counts the deaths of the job's process at work since a step last ended. A step that
    `is_attempted` has had an attempt that a breaker let through, and may have had its effect.
    """

    crashes: int
    failures: int
    is_cancel_requested: bool
    is_attempted: bool = False


class JobExecution:
    """Writes of one process. Raises: JobLostError from every method that takes a lease."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, job_id: str, executor: str, now: datetime, phase: int = 0) -> JobLease | None:
        """Claim the job; return None when it has ended, or has left the phase of this number.

        A job that is found running lost its process at work. One that waits, or was released, did not.
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
        is_active &= (columns.phase_number == phase) & columns.wait_kind.is_(None)
        steps = select(job_steps.c.name, job_steps.c.outcome).where(job_steps.c.job_id == job_id)
        with self._database.write() as connection:
            claimed = connection.execute(update(jobs).where(is_active).values(values).returning(jobs))
            row = claimed.mappings().first()
            if row is not None and row["started_at_ms"] is None:
                connection.execute(update(jobs).where(columns.id == job_id).values(started_at_ms=at))
            outcomes = {step.name: step.outcome for step in connection.execute(steps)}
        return None if row is None else JobLease(record_of(row), row["fence"], outcomes)

    def release(self, executor: str) -> None:
        """Release the running jobs of a process that stops: the interruption is no crash."""
        is_held = (jobs.c.executor == executor) & (jobs.c.state == JobState.RUNNING)
        with self._database.write() as connection:
            connection.execute(update(jobs).where(is_held).values(state=JobState.WAITING))

    def status(self, lease: JobLease, step: str) -> JobStatus:
        """Return the state of the job before an attempt at `step`."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(_is_held(lease))).mappings().first()
            counts = select(job_steps.c.failures, job_steps.c.attempts).where(_is_step(lease, step))
            failures, attempts = connection.execute(counts).first() or (0, 0)
        if row is None:
            raise _lost(lease)
        return JobStatus(row["starts"], failures, row["cancel_requested_at_ms"] is not None, attempts > 0)

    def begin_attempt(self, lease: JobLease, step: str, now: datetime) -> None:
        """Record that an attempt at `step` begins."""
        values = {"state": StepState.RUNNING, "due_at_ms": None, "finished_at_ms": None}
        again = update(job_steps).where(_is_step(lease, step))
        first = {"job_id": lease.job.id, "name": step, "attempts": 1, "started_at_ms": to_ms(now)}
        with self._database.write() as connection:
            _change(connection, lease, state=JobState.RUNNING)
            counted = connection.execute(again.values(**values, attempts=job_steps.c.attempts + 1))
            if counted.rowcount == 0:
                connection.execute(insert(job_steps).values(**values, **first))

    def wait(self, lease: JobLease, step: str, due_at: datetime, error: str, *, failed: bool) -> None:
        """Record that `step` continues at `due_at`, because its attempt failed or was not made."""
        columns = job_steps.c
        counts = {"failures": columns.failures + 1} if failed else {"attempts": columns.attempts - 1}
        values: dict[str, Any] = {"state": StepState.WAITING, "due_at_ms": to_ms(due_at), "error": error}
        with self._database.write() as connection:
            _change(connection, lease, state=JobState.WAITING)
            connection.execute(update(job_steps).where(_is_step(lease, step)).values(values | counts))

    def end_step(
        self, lease: JobLease, step: str, state: StepState, outcome: StepOutcome, now: datetime
    ) -> None:
        """Record how `step` ended; a repetition of the job takes the stored outcome. Idempotent."""
        values = {
            "state": state,
            "error": outcome.get("failed"),
            "outcome": outcome,
            "due_at_ms": None,
            "finished_at_ms": to_ms(now),
        }
        with self._database.write() as connection:
            _change(connection, lease, state=JobState.RUNNING, starts=0)
            connection.execute(update(job_steps).where(_is_step(lease, step)).values(values))

    def report_progress(self, lease: JobLease, progress: Progress) -> None:
        """Record how far the job is."""
        values = {"done": progress.done, "total": progress.total, "message": progress.message}
        with self._database.write() as connection:
            _change(connection, lease, **values)

    def park(self, lease: JobLease, wait: WaitFor, now: datetime) -> bool:
        """Park the job until a person answers; return whether a kept signal has ended the wait at once.

        Idempotent.
        """
        with self._database.write() as connection:
            row = connection.execute(select(jobs).where(_is_held(lease)).with_for_update()).mappings().first()
            if row is None:
                raise _lost(lease)
            if row["wait_kind"] is not None or row["phase_number"] != lease.job.phase.number:
                return row["wait_kind"] is None  # our own commit, whose answer was lost
            return park(connection, lease.job.id, row["preview_version"] + 1, wait, now)

    def end(
        self,
        lease: JobLease,
        state: JobState,
        now: datetime,
        *,
        result: JsonObject | None = None,
        error: str | None = None,
        callback: str | None = None,
    ) -> None:
        """End the job; `callback` is the body for its webhook URL."""
        with self._database.write() as connection:
            if _is_ended_by(connection, lease):
                return  # our own commit, whose answer was lost
            _change(connection, lease, state=state, result=result, error=error, finished_at_ms=to_ms(now))
            if callback is not None:
                row = {"job_id": lease.job.id, "url": lease.job.webhook_url, "body": callback}
                connection.execute(insert(job_callbacks).values(row | {"due_at_ms": to_ms(now)}))

    def with_outcomes_in_dbos(self) -> Sequence[str]:
        """Return the active jobs with steps that ended under a release that stored outcomes in DBOS."""
        ended = job_steps.c.state.in_(_ENDED_STEPS) & job_steps.c.outcome.is_(None)
        query = select(jobs.c.id).join(job_steps).where(jobs.c.state.not_in(sorted(FINAL)), ended).distinct()
        with self._database.read() as connection:
            return connection.execute(query).scalars().all()

    def adopt(self, job_id: str, outcomes: Mapping[str, StepOutcome]) -> None:
        """Store the outcomes, by step name, that DBOS has of a job of an earlier release."""
        with self._database.write() as connection:
            for name, outcome in outcomes.items():
                is_step = (job_steps.c.job_id == job_id) & (job_steps.c.name == name)
                connection.execute(update(job_steps).where(is_step).values(outcome=outcome))


def _is_ended_by(connection: Connection, lease: JobLease) -> bool:
    """Return whether the job has ended under this lease."""
    is_ours = (jobs.c.id == lease.job.id) & (jobs.c.fence == lease.fence) & jobs.c.state.in_(sorted(FINAL))
    return connection.execute(select(jobs.c.id).where(is_ours)).first() is not None


def _change(connection: Connection, lease: JobLease, **values: Any) -> None:
    if connection.execute(update(jobs).where(_is_held(lease)).values(values)).rowcount == 0:
        raise _lost(lease)


def _lost(lease: JobLease) -> JobLostError:
    return JobLostError(f"another process has claimed the job {lease.job.id}, or it has ended")


def _is_held(lease: JobLease) -> ColumnElement[bool]:
    columns = jobs.c
    return (columns.id == lease.job.id) & (columns.fence == lease.fence) & columns.state.not_in(sorted(FINAL))


def _is_step(lease: JobLease, step: str) -> ColumnElement[bool]:
    return (job_steps.c.job_id == lease.job.id) & (job_steps.c.name == step)
