from __future__ import annotations

from datetime import timedelta

import pytest

from domain.job import JobState, NewJob, Profile, Progress, StepState
from store.database import Database
from store.jobs.callbacks import JobCallbacks
from store.jobs.execution import JobExecution, JobLostError
from store.jobs.jobs import Jobs, write
from tests.store.rivals import together
from tests.support.clock import FakeClock

NOW = FakeClock().now()
NEW = NewJob("task", Profile.REALTIME, {"say": "Grüße \u0000"}, webhook_url="https://caller.example.edu")


def test_a_job_commits_with_what_caused_it_or_not_at_all(database: Database) -> None:
    jobs = Jobs(database)
    ids: list[str] = []

    def fail() -> None:
        with database.write() as connection:
            ids.append(write(connection, NEW, NOW)[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert jobs.get(ids[0]) is None
    with database.write() as connection:
        job_id, created = write(connection, NEW, NOW)
    found = jobs.get(job_id)
    assert created
    assert found is not None
    assert (found.state, found.input, found.created_at) == (JobState.QUEUED, NEW.input, NOW)


def test_concurrent_callers_with_one_key_make_one_job(database: Database) -> None:
    jobs, made = Jobs(database), []
    keyed = NewJob("task", Profile.BATCH, {}, idempotency_key="k")
    together(*[lambda: made.append(jobs.add(keyed, NOW))] * 4)
    assert len({job.id for job, _ in made}) == 1
    assert [created for _, created in made].count(True) == 1


def test_concurrent_callers_take_a_job_up_one_after_another_and_the_last_one_has_it(
    database: Database,
) -> None:
    jobs, runs = Jobs(database), JobExecution(database)
    job, _ = jobs.add(NEW, NOW)
    first, second = runs.begin(job.id, "one", NOW), runs.begin(job.id, "two", NOW)
    assert first is not None
    assert second is not None
    assert second.fence > first.fence

    for disturb in (
        lambda: runs.status(first, "ask"),
        lambda: runs.begin_attempt(first, "ask", NOW),
        lambda: runs.wait(first, "ask", NOW, "no", failed=True),
        lambda: runs.end_step(first, "ask", StepState.SUCCEEDED, {}, NOW),
        lambda: runs.report_progress(first, Progress(1, 1, "mine")),
        lambda: runs.end(first, JobState.FAILED, NOW),
    ):
        with pytest.raises(JobLostError):
            disturb()
    found = jobs.get(job.id)
    assert found is not None
    assert (found.state, found.steps, found.progress) == (JobState.RUNNING, (), Progress())


def test_what_has_ended_is_not_taken_up_again_and_is_notified_of_once(database: Database) -> None:
    jobs, runs, calls = Jobs(database), JobExecution(database), JobCallbacks(database)
    job, _ = jobs.add(NEW, NOW)
    hold = runs.begin(job.id, "one", NOW)
    assert hold is not None
    runs.end(hold, JobState.SUCCEEDED, NOW, result={"is": 1}, callback="{}")
    runs.end(hold, JobState.SUCCEEDED, NOW, result={"is": 1}, callback="{}")  # as one whose answer was lost
    with pytest.raises(JobLostError):
        runs.end_step(hold, "ask", StepState.SUCCEEDED, {}, NOW)
    assert runs.begin(job.id, "two", NOW) is None

    lease = timedelta(minutes=2)
    assert calls.is_due(NOW)
    call = calls.claim(NOW, lease=lease)
    assert calls.claim(NOW, lease=lease) is None
    again = calls.claim(NOW + lease, lease=lease)
    assert call is not None
    assert again is not None
    calls.end(call, NOW)  # as one whose lease has passed to another
    assert calls.is_due(NOW + 2 * lease)
    assert (call.url, call.attempts, again.attempts) == (NEW.webhook_url, 0, 1)
    calls.reschedule(again, NOW + timedelta(hours=1), "503")
    assert not calls.is_due(NOW + timedelta(minutes=59))
    calls.end(again, NOW)
    assert not calls.is_due(NOW + timedelta(days=9))


def test_counts_and_waits_are_by_kind_and_profile(database: Database) -> None:
    jobs, runs = Jobs(database), JobExecution(database)
    assert (jobs.counts(), jobs.oldest_queued_at()) == ({}, {})
    later = NOW + timedelta(seconds=9)
    running, _ = jobs.add(NEW, NOW)
    jobs.add(NEW, later)
    runs.begin(running.id, "one", NOW)
    assert jobs.counts() == {("task", JobState.RUNNING): 1, ("task", JobState.QUEUED): 1}
    assert jobs.oldest_queued_at() == {Profile.REALTIME: later}


def test_only_jobs_that_have_ended_are_purged(database: Database) -> None:
    jobs, runs = Jobs(database), JobExecution(database)
    ended, active = (jobs.add(NEW, NOW)[0] for _ in range(2))
    for job in (ended, active):
        hold = runs.begin(job.id, "one", NOW)
        assert hold is not None
        runs.begin_attempt(hold, "ask", NOW)
        if job is ended:
            runs.end(hold, JobState.FAILED, NOW, error="no", callback="{}")
    assert jobs.ended_before(NOW, 10) == []
    assert jobs.ended_before(NOW + timedelta(seconds=1), 10) == [ended.id]
    jobs.purge([ended.id])
    assert jobs.get(ended.id) is None
    assert jobs.get(active.id) is not None
