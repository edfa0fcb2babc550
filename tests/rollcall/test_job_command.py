from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.job import JobState
from tests.support.jobs_cluster import JobsCluster, jobs_cluster
from tests.support.stack import environment, wait_until


@pytest.fixture
def cluster(tmp_path: Path, redis_url: str) -> Iterator[JobsCluster]:
    with jobs_cluster(tmp_path, redis_url) as found:
        yield found


def job(cluster: JobsCluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rollcall", "job", *arguments],
        env=environment(cluster.folder / "home", **cluster.settings), cwd=cluster.folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_jobs_are_listed_shown_and_cancelled_and_that_is_recorded(cluster: JobsCluster) -> None:
    first, second = cluster.submit(), cluster.submit("chore")
    rows = json.loads(job(cluster, "ls", "--json").stdout)
    assert [row["id"] for row in rows] == [second.id, first.id]
    assert second.id not in job(cluster, "ls", "--kind", "errand").stdout
    assert job(cluster, "ls", "--state", "failed").stdout == "there is no such job\n"

    assert job(cluster, "cancel", first.id).stdout == f"The errand {first.id} will end soon.\n"

    (shown,) = json.loads(job(cluster, "show", first.id, "--json").stdout)
    assert (shown["state"], shown["input"]) == (JobState.QUEUED, first.input)
    assert shown["cancel_requested_at"] is not None
    assert first.id in job(cluster, "show", first.id).stdout
    records, _ = cluster.services.store.audit.page(None, 10, action="job.cancel")
    assert [record.entry.subject for record in records] == [f"job/{first.id}"]


@pytest.mark.parametrize("verb", ["show", "cancel", "retry"])
def test_a_job_that_is_not_there_is_said_to_be_so(cluster: JobsCluster, verb: str) -> None:
    answer = job(cluster, verb, "0" * 32)
    assert (answer.returncode, answer.stderr) == (1, "rollcall: job_id there is no such job\n")


def test_what_still_lives_is_not_tried_again(cluster: JobsCluster) -> None:
    answer = job(cluster, "retry", cluster.submit().id)
    assert answer.returncode == 1
    assert "is queued: only failed and cancelled jobs can be retried" in answer.stderr


def test_a_parked_job_is_confirmed_and_another_rejected(cluster: JobsCluster) -> None:
    cluster.start()
    first, second = cluster.submit("question"), cluster.submit("question")
    for each in (first, second):
        wait_until(lambda each=each: cluster.reload(each).waiting_for is not None, "parked jobs")  # type: ignore[misc]
    rows = json.loads(job(cluster, "ls", "--state", "waiting", "--json").stdout)
    assert [row["waiting_for"].partition(" ")[0] for row in rows] == ["confirmation"] * 2

    confirmed = job(cluster, "confirm", first.id)
    rejected = job(cluster, "reject", second.id, "--preview-version", "1")
    late = job(cluster, "confirm", second.id, "--preview-version", "1")

    assert confirmed.stdout == f"The question {first.id} has the answer confirm.\n"
    assert (rejected.returncode, late.returncode) == (0, 1)
    assert cluster.await_end(first).state is JobState.SUCCEEDED
    assert cluster.await_end(second).error == "it was rejected"
