from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import ConflictError
from domain.job import JobState, NewJob, Profile, SignalName, WaitEnd, WaitFor, WaitingFor, WaitKind
from store.database import Database
from store.jobs.execution import JobExecution, JobLease
from store.jobs.jobs import Jobs
from store.jobs.waits import JobWaits, Signal, next_preview
from tests.store.rivals import together
from tests.support.clock import FakeClock

NOW = FakeClock().now()
WAIT = WaitFor(WaitKind.MAPPING, "apply", timedelta(days=7), {"rows": 3}, version=2)
CONFIRM, REJECT = Signal("c", SignalName.CONFIRM, 1), Signal("r", SignalName.REJECT, 1)


@pytest.fixture
def lease(database: Database) -> JobLease:
    """A job in its first phase."""
    job, _ = Jobs(database).add(NewJob("task", Profile.BATCH, {}), NOW)
    found = JobExecution(database).begin(job.id, "here", NOW)
    assert found is not None
    return found


def test_a_parked_job_belongs_to_no_process(database: Database, lease: JobLease) -> None:
    jobs, runs = Jobs(database), JobExecution(database)
    assert runs.park(lease, WAIT, NOW) is False
    assert runs.park(lease, WAIT, NOW + timedelta(days=1)) is False  # its answer was lost
    job = jobs.get(lease.job.id)
    assert job is not None
    assert job.waiting_for == WaitingFor(WaitKind.MAPPING, NOW + WAIT.limit, 1)
    assert (job.phase.name, job.phase.state, job.phase.version) == ("apply", {"rows": 3}, 2)
    assert runs.begin(job.id, "there", NOW) is None
    jobs.mark_enqueued(job.id, NOW)
    assert jobs.enqueued(0, 10) == {}
    assert jobs.claim_lost(Profile.BATCH, NOW, NOW) == []


def test_concurrent_answers_end_a_wait_once(database: Database, lease: JobLease) -> None:
    outcomes: list[object] = []

    def answer(signal: Signal) -> None:
        try:
            outcomes.append(JobWaits(database).signal(lease.job.id, signal, NOW))
        except ConflictError:
            outcomes.append("stale")

    JobExecution(database).park(lease, WAIT, NOW)
    together(*[lambda: answer(CONFIRM)] * 3, lambda: answer(REJECT))
    job = Jobs(database).get(lease.job.id)
    assert job is not None
    assert (job.state, job.phase.number, job.waiting_for) == (JobState.QUEUED, 1, None)
    assert outcomes.count(True) == 1
    assert Jobs(database).claim_lost(Profile.BATCH, NOW, NOW) == [job.id]


def test_a_signal_beside_the_parking_is_never_lost(database: Database, lease: JobLease) -> None:
    together(
        lambda: JobExecution(database).park(lease, WAIT, NOW),
        lambda: JobWaits(database).signal(lease.job.id, CONFIRM, NOW),
    )
    job = Jobs(database).get(lease.job.id)
    assert job is not None
    assert (job.phase.number, job.phase.ended_by) == (1, WaitEnd.CONFIRM)


def test_a_kept_signal_is_consumed_by_the_first_wait_alone(database: Database, lease: JobLease) -> None:
    jobs, runs = Jobs(database), JobExecution(database)
    JobWaits(database).signal(lease.job.id, CONFIRM, NOW)
    assert runs.park(lease, WAIT, NOW) is True
    assert runs.park(lease, WAIT, NOW) is True
    second = runs.begin(lease.job.id, "here", NOW, 1)
    assert second is not None
    assert runs.begin(lease.job.id, "here", NOW, 0) is None
    assert runs.park(second, WAIT, NOW) is False
    job = jobs.get(lease.job.id)
    assert job is not None
    assert job.waiting_for == WaitingFor(WaitKind.MAPPING, NOW + WAIT.limit, 2)


def test_a_changed_preview_makes_earlier_answers_stale(database: Database, lease: JobLease) -> None:
    with pytest.raises(ConflictError), database.write() as connection:
        next_preview(connection, lease.job.id)
    JobExecution(database).park(lease, WAIT, NOW)
    with database.write() as connection:
        assert next_preview(connection, lease.job.id) == 2
    with pytest.raises(ConflictError, match="stale"):
        JobWaits(database).signal(lease.job.id, CONFIRM, NOW)
    assert JobWaits(database).signal(lease.job.id, Signal("d", SignalName.CONFIRM, 2), NOW) is True


def test_a_wait_ends_at_its_time_limit(database: Database, lease: JobLease) -> None:
    waits = JobWaits(database)
    JobExecution(database).park(lease, WAIT, NOW)
    assert waits.expire(NOW + WAIT.limit - timedelta(milliseconds=1)) == []
    assert waits.expire(NOW + WAIT.limit) == [lease.job.id]
    assert waits.expire(NOW + WAIT.limit) == []


def test_a_parked_job_is_not_in_a_queue_and_its_next_phase_is_as_old_as_the_answer(
    database: Database, lease: JobLease
) -> None:
    jobs, answered_at = Jobs(database), NOW + timedelta(days=3)
    JobExecution(database).park(lease, WAIT, NOW)
    assert jobs.oldest_queued_at() == {}
    JobWaits(database).signal(lease.job.id, CONFIRM, answered_at)
    assert jobs.oldest_queued_at() == {Profile.BATCH: answered_at}


def test_the_signals_are_purged_with_their_job(database: Database, lease: JobLease) -> None:
    jobs, runs = Jobs(database), JobExecution(database)
    runs.park(lease, WAIT, NOW)
    JobWaits(database).signal(lease.job.id, REJECT, NOW)
    second = runs.begin(lease.job.id, "here", NOW, 1)
    assert second is not None
    runs.end(second, JobState.CANCELLED, NOW)
    assert jobs.workflow_ids([lease.job.id]) == [lease.job.id, f"{lease.job.id}-1"]
    jobs.purge([lease.job.id])
    assert jobs.get(lease.job.id) is None
    assert JobWaits(database).signal(lease.job.id, REJECT, NOW) is None
