"""Real jobs processes with jobs that wait for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from actors.jobs import signal
from domain.job import JobRecord, JobState, SignalName
from store.jobs.waits import Signal
from tests.support.jobs_cluster import JobsCluster, jobs_cluster
from tests.support.stack import wait_until

CONFIRM = Signal("s", SignalName.CONFIRM, 1)
LONG_SECONDS, SLOTS, QUEUED = 8, 2, 4


@pytest.fixture
def cluster(tmp_path: Path, redis_url: str) -> Iterator[JobsCluster]:
    with jobs_cluster(tmp_path, redis_url) as found:
        yield found


def park(cluster: JobsCluster) -> JobRecord:
    job = cluster.submit("question")
    wait_until(lambda: cluster.reload(job).waiting_for is not None, "a parked job")
    return job


def test_an_answer_starts_the_next_phase_within_a_second_though_every_slot_is_busy(
    cluster: JobsCluster,
) -> None:
    cluster.start()
    job = park(cluster)
    busy = [cluster.submit("question", seconds=LONG_SECONDS) for _ in range(SLOTS + QUEUED)]
    for each in busy[:SLOTS]:
        cluster.await_line(each, "fetch:begun")

    answered_at = cluster.services.clock.now()
    signal(cluster.services, job.id, CONFIRM)
    ended = cluster.await_end(job)

    step = ended.steps[-1]
    assert (ended.state, step.name) == (JobState.SUCCEEDED, "2. apply: send")
    assert step.started_at - answered_at < timedelta(seconds=1)
    assert [cluster.lines(each) for each in busy[SLOTS:]] == [[]] * QUEUED


def test_a_parked_job_survives_its_process_and_continues_in_the_next(cluster: JobsCluster) -> None:
    process = cluster.start()
    job = park(cluster)
    cluster.kill(process)
    signal(cluster.services, job.id, CONFIRM)
    cluster.start()
    assert cluster.await_end(job).state is JobState.SUCCEEDED
    assert [cluster.lines(job).count(word) for word in ("fetch:done", "send:done")] == [1, 1]
