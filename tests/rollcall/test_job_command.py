from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.job import JobState
from tests.support.jobs_crew import JobsCrew, jobs_crew
from tests.support.stack import environment


@pytest.fixture
def crew(tmp_path: Path, redis_url: str) -> Iterator[JobsCrew]:
    with jobs_crew(tmp_path, redis_url) as found:
        yield found


def job(crew: JobsCrew, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rollcall", "job", *arguments],
        env=environment(crew.folder / "home", **crew.settings), cwd=crew.folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_jobs_are_listed_shown_and_cancelled_and_that_is_recorded(crew: JobsCrew) -> None:
    first, second = crew.submit(), crew.submit("chore")
    rows = json.loads(job(crew, "ls", "--json").stdout)
    assert [row["id"] for row in rows] == [second.id, first.id]
    assert second.id not in job(crew, "ls", "--kind", "errand").stdout
    assert job(crew, "ls", "--state", "failed").stdout == "there is no such job\n"

    assert job(crew, "cancel", first.id).stdout == f"The errand {first.id} will end soon.\n"

    (shown,) = json.loads(job(crew, "show", first.id, "--json").stdout)
    assert (shown["state"], shown["input"]) == (JobState.QUEUED, first.input)
    assert shown["cancel_requested_at"] is not None
    assert first.id in job(crew, "show", first.id).stdout
    records, _ = crew.services.store.audit.page(None, 10, action="job.cancel")
    assert [record.entry.subject for record in records] == [f"job/{first.id}"]


@pytest.mark.parametrize("verb", ["show", "cancel", "retry"])
def test_a_job_that_is_not_there_is_said_to_be_so(crew: JobsCrew, verb: str) -> None:
    answer = job(crew, verb, "0" * 32)
    assert (answer.returncode, answer.stderr) == (1, "rollcall: job_id there is no such job\n")


def test_what_still_lives_is_not_tried_again(crew: JobsCrew) -> None:
    answer = job(crew, "retry", crew.submit().id)
    assert answer.returncode == 1
    assert "is queued: only failed and cancelled jobs can be retried" in answer.stderr
