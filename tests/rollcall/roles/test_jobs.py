"""Real jobs processes, killed at every step boundary, beside each other, and stopped in order."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from domain.job import JobState, StepState
from store.schema import jobs
from tests.support.jobs_crew import JobsCrew, jobs_crew
from tests.support.postgres import require_binaries, running
from tests.support.stack import environment, wait_until

STEPS = ("fetch", "make", "send")
MOMENTS = ("fetch:begun", "fetch:done", "make:done", "send:done")
ALL = [f"{step}:{moment}" for step in STEPS for moment in ("begun", "done")]


@pytest.fixture
def crew(tmp_path: Path, redis_url: str) -> Iterator[JobsCrew]:
    with jobs_crew(tmp_path, redis_url) as found:
        yield found


def test_a_job_is_done_once_though_its_process_is_killed_at_every_boundary(crew: JobsCrew) -> None:
    process = crew.start()
    job = crew.submit(seconds=0.3)
    for word in MOMENTS:
        crew.await_line(job, word)
        crew.kill(process)
        process = crew.start()

    ended = crew.await_end(job)

    assert (ended.state, ended.result) == (JobState.SUCCEEDED, {"done": list(STEPS)})
    assert [step.state for step in ended.steps] == [StepState.SUCCEEDED] * 3
    done = [line for line in crew.lines(job) if line.endswith(":done")]
    assert sorted(set(done)) == sorted(f"{step}:done" for step in STEPS)
    assert list(dict.fromkeys(crew.lines(job))) == ALL


def test_a_process_that_is_asked_to_stop_leaves_its_jobs_to_the_next(crew: JobsCrew) -> None:
    process = crew.start()
    job = crew.submit(fails="make", how="once")
    wait_until(lambda: crew.reread(job).state is JobState.WAITING, "a job that waits")

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=25) == 0
    crew.start()

    assert crew.await_end(job).state is JobState.SUCCEEDED
    assert crew.lines(job).count("fetch:begun") == 1


def test_a_process_that_stops_in_the_middle_of_a_step_says_that_it_is_no_crash(crew: JobsCrew) -> None:
    process = crew.start()
    job = crew.submit(seconds=40)
    crew.await_line(job, "fetch:begun")

    process.send_signal(signal.SIGTERM)

    wait_until(lambda: crew.reread(job).state is JobState.WAITING, "the job to be let go", 40)
    crew.kill(process)


def test_jobs_of_one_lane_run_one_after_another_in_their_order(crew: JobsCrew) -> None:
    crew.start()
    turns = [crew.submit("turn", seconds=0.1, lane=lane) for lane in ("ada", "ada", "bob", "ada")]
    for job in turns:
        assert crew.await_end(job).state is JobState.SUCCEEDED
    own = [job.id for job in turns]
    seen = [line.split()[0] for line in crew.journal.read_text().splitlines() if line.endswith("fetch:begun")]
    assert [name for name in seen if name != own[2]] == [own[0], own[1], own[3]]
    times = [crew.reread(job) for job in (turns[0], turns[1], turns[3])]
    assert all(first.finished_at <= then.started_at for first, then in pairwise(times))  # type: ignore[operator]


def test_a_machine_that_does_not_come_back_is_compensated_by_another(tmp_path: Path, redis_url: str) -> None:
    with running(require_binaries()) as server:
        server.create("jobs")
        with jobs_crew(tmp_path, redis_url, DATABASE_URL=server.url("jobs")) as crew:
            first = crew.start("one")
            job = crew.submit(seconds=1)
            crew.await_line(job, "make:begun")
            executor = _executor(crew)
            crew.start("two", "realtime")
            crew.kill(first)
            # As the end of its heartbeat's time does; what is watched here begins then.
            crew.system.heartbeats.leave("jobs", f"{socket.gethostname()}:{first.pid}")

            ended = crew.await_end(job, seconds=90)

            assert (ended.state, ended.result) == (JobState.SUCCEEDED, {"done": list(STEPS)})
            assert crew.lines(job).count("fetch:begun") == 1
            assert crew.lines(job).count("make:begun") == 2
            assert crew.lines(job).count("send:begun") == 1
            assert executor not in {None, _executor(crew)}


def test_workers_of_one_profile_leave_the_other_alone(crew: JobsCrew) -> None:
    crew.start("home", "batch")
    realtime, batch = crew.submit(), crew.submit("chore")
    assert crew.await_end(batch).state is JobState.SUCCEEDED
    assert crew.reread(realtime).state is JobState.QUEUED


def test_a_worker_for_a_profile_is_a_jobs_process(crew: JobsCrew) -> None:
    command = [sys.executable, "-m", "rollcall", "worker", "--queues", "batch"]
    given = environment(crew.folder / "home", **crew.settings)
    process = subprocess.Popen(command, env=given, cwd=crew.folder)
    crew.processes.append(process)
    wait_until(lambda: bool(crew.system.heartbeats.alive("jobs")), "a jobs process")
    assert crew.system.heartbeats.alive("worker") == []


def _executor(crew: JobsCrew) -> object:
    with crew.system.database.read() as connection:
        return connection.execute(select(jobs.c.executor)).scalar()
