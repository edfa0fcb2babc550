"""Jobs that wait for a person: parked, answered, expired, and crashed at every point between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from actors.jobs import cancel, resume_job, signal, submit
from domain.errors import ConflictError, InvalidInputError
from domain.job import JobRecord, JobState, SignalName, WaitEnd, WaitingFor, WaitKind
from store.jobs.waits import Signal, next_preview
from tests.support.harness import Harness
from tests.support.job_kinds import lines

CONFIRM = Signal("s1", SignalName.CONFIRM, 1)
REJECT = Signal("s1", SignalName.REJECT, 1)
DAYS = timedelta(days=7)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def queued(rollcall: Harness, journal: Path) -> JobRecord:
    return submit(rollcall.services, "question", {"journal": str(journal)})[0]


@pytest.fixture
def parked(rollcall: Harness, queued: JobRecord) -> JobRecord:
    rollcall.process_messages()
    return reread(rollcall, queued)


def reread(rollcall: Harness, job: JobRecord) -> JobRecord:
    found = rollcall.services.store.jobs.get(job.id)
    assert found is not None
    return found


def test_a_phase_parks_its_job_outside_of_the_engine(rollcall: Harness, parked: JobRecord) -> None:
    assert parked.state is JobState.WAITING
    assert parked.waiting_for == WaitingFor(WaitKind.CONFIRMATION, rollcall.clock.now() + DAYS, 1)
    assert rollcall.engine.waiting == []
    assert rollcall.services.store.jobs.enqueued(0, 10) == {}


def test_a_confirmed_job_continues_once(rollcall: Harness, journal: Path, parked: JobRecord) -> None:
    _, is_new = signal(rollcall.services, parked.id, CONFIRM)
    _, is_again = signal(rollcall.services, parked.id, CONFIRM)
    rollcall.process_messages()
    ended = reread(rollcall, parked)
    assert (is_new, is_again) == (True, False)
    assert (ended.state, ended.result) == (JobState.SUCCEEDED, {"fetched": "fetch", "version": 1})
    assert lines(journal, parked.id) == ["fetch:begun", "fetch:done", "send:begun", "send:done"]
    assert [step.name for step in ended.steps] == ["fetch", "2. apply: send"]
    assert signal(rollcall.services, parked.id, CONFIRM)[1] is False


def test_a_rejected_job_is_cancelled_and_cleaned_up(
    rollcall: Harness, journal: Path, parked: JobRecord
) -> None:
    signal(rollcall.services, parked.id, REJECT)
    rollcall.process_messages()
    ended = reread(rollcall, parked)
    assert (ended.state, ended.error) == (JobState.CANCELLED, "it was rejected")
    assert lines(journal, parked.id)[-1] == "discard:it was rejected"


def test_a_job_without_an_answer_is_cancelled_after_its_time_limit(
    rollcall: Harness, journal: Path, parked: JobRecord
) -> None:
    rollcall.clock.advance(DAYS.total_seconds() - 60)
    assert rollcall.services.store.job_waits.expire(rollcall.clock.now()) == []
    rollcall.advance(61)
    ended = reread(rollcall, parked)
    assert (ended.state, ended.error) == (JobState.CANCELLED, "it had no answer within its time limit")
    assert lines(journal, parked.id)[-1] == f"discard:{ended.error}"


def test_a_parked_job_is_cancelled(rollcall: Harness, journal: Path, parked: JobRecord) -> None:
    cancel(rollcall.services, parked.id)
    with pytest.raises(ConflictError, match="cancelled"):
        signal(rollcall.services, parked.id, CONFIRM)
    rollcall.process_messages()
    assert reread(rollcall, parked).state is JobState.CANCELLED
    assert lines(journal, parked.id)[-1] == "discard:it was cancelled"


def test_a_signal_before_the_wait_is_kept_and_consumed_once(
    rollcall: Harness, journal: Path, queued: JobRecord
) -> None:
    signal(rollcall.services, queued.id, CONFIRM)
    rollcall.advance(2)
    rollcall.advance(2)
    assert reread(rollcall, queued).state is JobState.SUCCEEDED
    assert lines(journal, queued.id).count("send:begun") == 1


def test_a_stale_version_is_refused(rollcall: Harness, parked: JobRecord) -> None:
    with rollcall.services.store.jobs._database.write() as connection:
        assert next_preview(connection, parked.id) == 2
    with pytest.raises(ConflictError, match="version 1 is stale"):
        signal(rollcall.services, parked.id, CONFIRM)
    assert reread(rollcall, parked).waiting_for is not None
    signal(rollcall.services, parked.id, Signal("s2", SignalName.CONFIRM, 2))
    rollcall.process_messages()
    assert (reread(rollcall, parked).result or {})["version"] == 2


def test_a_job_that_waits_for_nothing_is_refused(rollcall: Harness, journal: Path) -> None:
    job = submit(rollcall.services, "errand", {"journal": str(journal)})[0]
    with pytest.raises(ConflictError, match="errand"):
        signal(rollcall.services, job.id, CONFIRM)
    with pytest.raises(InvalidInputError, match="job_id"):
        signal(rollcall.services, "0" * 32, CONFIRM)


def test_an_answer_survives_the_loss_of_its_message(rollcall: Harness, parked: JobRecord) -> None:
    signal(rollcall.services, parked.id, CONFIRM)
    rollcall.messages.clear()
    assert reread(rollcall, parked).phase.ended_by is WaitEnd.CONFIRM
    rollcall.advance(6)
    assert reread(rollcall, parked).state is JobState.SUCCEEDED


def test_a_message_that_comes_twice_or_late_changes_nothing(
    rollcall: Harness, journal: Path, parked: JobRecord
) -> None:
    rollcall.messages.append(resume_job.message(parked.id))
    rollcall.process_messages()
    assert reread(rollcall, parked).waiting_for is not None
    signal(rollcall.services, parked.id, CONFIRM)
    rollcall.messages.append(resume_job.message(parked.id))
    rollcall.process_messages()
    rollcall.engine.run(parked.id)  # the engine repeats the first phase: its end was not stored there
    assert (
        lines(journal, parked.id).count("fetch:begun") == lines(journal, parked.id).count("send:begun") == 1
    )


class CrashError(BaseException):
    """The process dies."""


POINTS = ["park:before", "park:kept", "2. apply: send:before", "2. apply: send:unkept", "2. apply: send:kept"]


@pytest.mark.parametrize("is_early", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_has_the_next_phase_executed_exactly_once(
    rollcall: Harness, journal: Path, queued: JobRecord, point: str, *, is_early: bool
) -> None:
    crashes = [point]

    def crash(at: str) -> None:
        if at in crashes:
            crashes.remove(at)
            raise CrashError

    rollcall.engine.hooks[queued.id].crash = crash
    if is_early:
        signal(rollcall.services, queued.id, CONFIRM)
    _process(rollcall, queued)
    if not is_early:
        signal(rollcall.services, queued.id, CONFIRM)
    rollcall.messages.clear()  # the process died before it published
    _process(rollcall, queued)

    ended = reread(rollcall, queued)
    assert (crashes, ended.state) == ([], JobState.SUCCEEDED)
    assert lines(journal, queued.id).count("fetch:done") == 1
    assert lines(journal, queued.id).count("send:done") == (2 if point.endswith("unkept") else 1)
    assert [step.state for step in ended.steps] == ["succeeded", "succeeded"]


def _process(rollcall: Harness, job: JobRecord) -> None:
    """Let time pass; the engine repeats what a crash interrupted."""
    for _ in range(3):
        try:
            rollcall.advance(2)
        except CrashError:
            for workflow in sorted(rollcall.engine.known):
                rollcall.engine.run(workflow)
