"""Jobs that an earlier release parked, continued by the current one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from domain.job import JobRecord, JobState, JsonObject, Profile, SignalName, WaitFor, WaitKind
from providers.storage import Folder
from store import migrate
from store.database import Database
from store.jobs.jobs import Jobs
from store.jobs.waits import JobWaits, Signal
from tests.support.clock import FakeClock
from tests.support.harness import sqlite_url
from tests.support.memory_engine import MemoryEngine
from workflows.kind import Job, JobContext, JobFailure, JobKind, Phase, by_name

JOB_ID = "5f0c" * 8
# As the release with the schema 0107 stored it. Do not change it: it stands for the databases of users.
PARKED = f"""
INSERT INTO jobs (number, id, kind, profile, state, input, done, total, message, executor, fence, starts,
    created_at_ms, published_at_ms, started_at_ms, phase, phase_number, phase_state, phase_version, wait_kind,
    wait_until_ms, preview_version)
VALUES (1, '{JOB_ID}', 'upload', 'batch', 'waiting', '{{"file": "bank.csv"}}', 3, 3, 'staged',
    'host-1-0', 1, 0, 1767607200000, 1767607200000, 1767607201000, 'apply', 0,
    '{{"rows": 3}}', 1, 'confirmation', 4102444800000, 1);
INSERT INTO job_steps (id, job_id, name, state, attempts, failures, started_at_ms, finished_at_ms, outcome)
VALUES (1, '{JOB_ID}', 'stage', 'succeeded', 1, 0, 1767607201000, 1767607202000, '{{"value": 3}}');
"""  # noqa: S608 - the test's own id


class Release:
    """A release over the database of an earlier one; `done` has what its steps did."""

    def __init__(self, folder: Path) -> None:
        url = sqlite_url(folder)
        self.database, self.clock, self.done = Database(url), FakeClock(), list[str]()
        migrate.upgrade(self.database)
        with sqlite3.connect(str(self.database.url.database)) as connection:
            connection.executescript(PARKED)
        connection.close()
        self.context = JobContext(self.clock, Folder(folder / "storage"))

    def confirm(self, kind: str = "upload", **phases: Phase[JsonObject]) -> JobRecord:
        """Confirm the parked job, and execute it with a kind of these phases."""
        signal = Signal("s", SignalName.CONFIRM, 1)
        assert JobWaits(self.database).signal(JOB_ID, signal, self.clock.now()) is True
        return self.execute(kind, phases)

    def execute(self, kind: str, phases: Mapping[str, Phase[JsonObject]]) -> JobRecord:
        known = by_name(JobKind(kind, Profile.BATCH, dict, self._stage, self._discard, phases=phases))
        engine = MemoryEngine(known, self.context, self.database, self.clock)
        engine.start(self.job())
        engine.work()
        return self.job()

    def job(self) -> JobRecord:
        found = Jobs(self.database).get(JOB_ID)
        assert found is not None
        return found

    def apply(self, job: Job, given: JsonObject) -> JsonObject:
        job.step("apply", lambda: self.done.append(f"apply {job.phase.state['rows']} of {given['file']}"))
        return {"rows": job.phase.state["rows"]}

    def ask_again(self, job: Job, _: JsonObject) -> WaitFor:
        job.step("stage", lambda: self.done.append("stage again"))
        return WaitFor(WaitKind.CONFIRMATION, "apply", timedelta(days=1), job.phase.state)

    def _stage(self, job: Job, _: JsonObject) -> JsonObject:
        raise AssertionError(job.id)

    def _discard(self, job: Job, _: JsonObject, failure: JobFailure) -> None:
        job.step("discard", lambda: self.done.append(f"discard {job.phase.state['rows']}"))


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Release]:
    found = Release(tmp_path)
    yield found
    found.database.close()


def test_a_job_that_an_earlier_release_parked_continues(release: Release) -> None:
    ended = release.confirm(apply=Phase(release.apply, versions=frozenset({1, 2})))
    assert (ended.state, ended.result, release.done) == (
        JobState.SUCCEEDED,
        {"rows": 3},
        ["apply 3 of bank.csv"],
    )
    assert [step.name for step in ended.steps] == ["stage", "2. apply: apply"]


def test_a_phase_may_park_the_job_again(release: Release) -> None:
    again = release.confirm(apply=Phase(release.ask_again))
    assert again.waiting_for is not None
    assert again.waiting_for.preview_version == 2
    JobWaits(release.database).signal(JOB_ID, Signal("t", SignalName.CONFIRM, 2), release.clock.now())
    ended = release.execute("upload", {"apply": Phase(release.apply)})
    assert (ended.state, release.done) == (JobState.SUCCEEDED, ["stage again", "apply 3 of bank.csv"])


@pytest.mark.parametrize(
    ("kind", "phase", "versions", "reason"),
    [
        ("upload", "apply", {2}, "this version of Rollcall cannot read version 1 of the phase 'apply'"),
        ("upload", "import", {1}, "this version of Rollcall knows no phase 'apply' of 'upload'"),
        ("download", "apply", {1}, "this version of Rollcall knows no job 'upload'"),
    ],
)
def test_what_the_release_does_not_know_fails_with_the_reason_after_the_clean_up(
    release: Release, kind: str, phase: str, versions: set[int], reason: str
) -> None:
    ended = release.confirm(kind, **{phase: Phase(release.apply, versions=frozenset(versions))})
    assert (ended.state, ended.error, release.done) == (JobState.FAILED, reason, ["discard 3"])
    assert (ended.input, ended.phase.state) == ({"file": "bank.csv"}, {"rows": 3})
