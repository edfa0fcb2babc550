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
from tests.support.jobs_cluster import JobsCluster, jobs_cluster
from tests.support.postgres import require_binaries, running
from tests.support.stack import environment, wait_until

STEPS = ("fetch", "make", "send")
MOMENTS = ("fetch:begun", "fetch:done", "make:done", "send:done")
ALL = [f"{step}:{moment}" for step in STEPS for moment in ("begun", "done")]


@pytest.fixture
def cluster(tmp_path: Path, redis_url: str) -> Iterator[JobsCluster]:
    with jobs_cluster(tmp_path, redis_url) as found:
        yield found


def test_a_job_is_done_once_though_its_process_is_killed_at_every_boundary(cluster: JobsCluster) -> None:
    process = cluster.start()
    job = cluster.submit(seconds=0.3)
    for word in MOMENTS:
        cluster.await_line(job, word)
        cluster.kill(process)
        process = cluster.start()

    ended = cluster.await_end(job)

    assert (ended.state, ended.result) == (JobState.SUCCEEDED, {"done": list(STEPS)})
    assert [step.state for step in ended.steps] == [StepState.SUCCEEDED] * 3
    done = [line for line in cluster.lines(job) if line.endswith(":done")]
    assert sorted(set(done)) == sorted(f"{step}:done" for step in STEPS)
    assert list(dict.fromkeys(cluster.lines(job))) == ALL


def test_a_process_that_is_asked_to_stop_leaves_its_jobs_to_the_next(cluster: JobsCluster) -> None:
    process = cluster.start()
    job = cluster.submit(fails="make", how="once")
    wait_until(lambda: cluster.reload(job).state is JobState.WAITING, "a job that waits")

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=25) == 0
    cluster.start()

    assert cluster.await_end(job).state is JobState.SUCCEEDED
    assert cluster.lines(job).count("fetch:begun") == 1


def test_a_process_that_stops_in_the_middle_of_a_step_says_that_it_is_no_crash(cluster: JobsCluster) -> None:
    process = cluster.start()
    job = cluster.submit(seconds=40)
    cluster.await_line(job, "fetch:begun")

    process.send_signal(signal.SIGTERM)

    wait_until(lambda: cluster.reload(job).state is JobState.WAITING, "the job to be let go", 40)
    cluster.kill(process)


def test_jobs_of_one_lane_run_one_after_another_in_their_order(cluster: JobsCluster) -> None:
    cluster.start()
    turns = [cluster.submit("turn", seconds=0.1, lane=lane) for lane in ("ada", "ada", "bob", "ada")]
    for job in turns:
        assert cluster.await_end(job).state is JobState.SUCCEEDED
    own = [job.id for job in turns]
    seen = [
        line.split()[0] for line in cluster.journal.read_text().splitlines() if line.endswith("fetch:begun")
    ]
    assert [name for name in seen if name != own[2]] == [own[0], own[1], own[3]]
    times = [cluster.reload(job) for job in (turns[0], turns[1], turns[3])]
    assert all(first.finished_at <= then.started_at for first, then in pairwise(times))  # type: ignore[operator]


def test_a_machine_that_does_not_come_back_is_compensated_by_another(tmp_path: Path, redis_url: str) -> None:
    with running(require_binaries()) as server:
        server.create("jobs")
        with jobs_cluster(tmp_path, redis_url, DATABASE_URL=server.url("jobs")) as cluster:
            first = cluster.start("one")
            job = cluster.submit(seconds=1)
            cluster.await_line(job, "make:begun")
            executor = _executor(cluster)
            cluster.start("two", "realtime")
            cluster.kill(first)
            # As the end of its heartbeat's time does; what is watched here begins then.
            cluster.system.heartbeats.leave("jobs", f"{socket.gethostname()}:{first.pid}")

            ended = cluster.await_end(job, seconds=90)

            assert (ended.state, ended.result) == (JobState.SUCCEEDED, {"done": list(STEPS)})
            assert cluster.lines(job).count("fetch:begun") == 1
            assert cluster.lines(job).count("make:begun") == 2
            assert cluster.lines(job).count("send:begun") == 1
            assert executor not in {None, _executor(cluster)}


def test_workers_of_one_profile_leave_the_other_alone(cluster: JobsCluster) -> None:
    cluster.start("home", "batch")
    realtime, batch = cluster.submit(), cluster.submit("chore")
    assert cluster.await_end(batch).state is JobState.SUCCEEDED
    assert cluster.reload(realtime).state is JobState.QUEUED


def test_a_worker_for_a_profile_is_a_jobs_process(cluster: JobsCluster) -> None:
    command = [sys.executable, "-m", "rollcall", "worker", "--queues", "batch"]
    given = environment(cluster.folder / "home", **cluster.settings)
    process = subprocess.Popen(command, env=given, cwd=cluster.folder)
    cluster.processes.append(process)
    wait_until(lambda: bool(cluster.system.heartbeats.alive("jobs")), "a jobs process")
    assert cluster.system.heartbeats.alive("worker") == []


def _executor(cluster: JobsCluster) -> object:
    with cluster.system.database.read() as connection:
        return connection.execute(select(jobs.c.executor)).scalar()
