from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from actors import QUEUES
from actors.jobs import MAX_CALLBACK_ATTEMPTS, START, cancel, publish_job, retry, submit
from actors.reconcile import LOST_AFTER, reconcile
from domain.errors import InvalidInputError, RejectedError, UnreachableError, UpstreamError
from domain.job import JobRecord, JobState, Profile
from tests.support.harness import Harness
from tests.support.job_kinds import lines
from workflows.kinds import KINDS

URL = "https://caller.example.edu/ended"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def ask(rollcall: Harness, journal: Path, kind: str = "errand", **given: object) -> JobRecord:
    return submit(rollcall.services, kind, {"journal": str(journal), **given})[0]  # type: ignore[dict-item]


def reread(rollcall: Harness, job: JobRecord) -> JobRecord:
    found = rollcall.services.store.jobs.get(job.id)
    assert found is not None
    return found


def test_a_job_is_carried_out_by_its_message(rollcall: Harness, journal: Path) -> None:
    job = ask(rollcall, journal)
    assert (job.state, [message.queue_name for message in rollcall.messages]) == (
        JobState.QUEUED,
        ["realtime"],
    )
    rollcall.process_messages()
    assert reread(rollcall, job).state is JobState.SUCCEEDED


def test_a_message_that_comes_twice_changes_nothing(rollcall: Harness, journal: Path) -> None:
    job = ask(rollcall, journal)
    publish_job(rollcall.services, job)
    rollcall.process_messages()
    assert lines(journal, job.id).count("send:done") == 1


def test_a_repeated_key_gives_the_first_job(rollcall: Harness, journal: Path) -> None:
    given = {"journal": str(journal)}
    first, created = submit(rollcall.services, "errand", given, idempotency_key="k")
    again, is_new = submit(rollcall.services, "errand", given, idempotency_key="k")
    assert (created, is_new, first.id) == (True, False, again.id)
    assert len(rollcall.messages) == 1


@pytest.mark.parametrize(
    ("kind", "given", "field"), [("errand", {}, "input.journal"), ("dance", {"journal": "x"}, "kind")]
)
def test_a_bad_request_names_its_field(
    rollcall: Harness, kind: str, given: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        submit(rollcall.services, kind, given)
    assert list(caught.value.problems) == [field]
    assert rollcall.messages == []


def test_a_lost_message_is_published_again(rollcall: Harness, journal: Path) -> None:
    job = ask(rollcall, journal)
    rollcall.messages.clear()
    rollcall.advance(6)
    assert reread(rollcall, job).state is JobState.SUCCEEDED


def test_a_message_that_may_still_wait_is_given_time(rollcall: Harness, journal: Path) -> None:
    ask(rollcall, journal)
    rollcall.messages.clear()
    rollcall.clock.advance(60)
    reconcile(rollcall.services, dict.fromkeys(QUEUES, 3))
    assert rollcall.messages == []
    rollcall.clock.advance(LOST_AFTER.total_seconds())
    reconcile(rollcall.services, dict.fromkeys(QUEUES, 3))
    assert [message.actor_name for message in rollcall.messages] == ["jobs.start"]


def test_a_job_survives_an_unreachable_broker(rollcall: Harness, journal: Path) -> None:
    def unreachable(_: object) -> None:
        raise UnreachableError("no broker")

    job = submit(replace(rollcall.services, publish=unreachable), "errand", {"journal": str(journal)})[0]
    rollcall.advance(6)
    assert reread(rollcall, job).state is JobState.SUCCEEDED


def test_a_message_starts_its_own_job_alone(rollcall: Harness, journal: Path) -> None:
    _, second, _ = (ask(rollcall, journal, "chore") for _ in range(3))
    START[Profile.BATCH](rollcall.services, second.id)
    assert rollcall.engine.waiting == [second.id]
    rollcall.engine.run(second.id)
    START[Profile.BATCH](rollcall.services, second.id)
    START[Profile.BATCH](rollcall.services, "0" * 32)
    assert rollcall.engine.waiting == []


def test_a_queued_job_is_cancelled_out_of_turn_and_compensated(rollcall: Harness, journal: Path) -> None:
    job = ask(rollcall, journal)
    asked = cancel(rollcall.services, job.id)
    assert asked is not None
    assert (asked.state, asked.cancel_requested_at) == (JobState.QUEUED, rollcall.clock.now())
    rollcall.process_messages()
    assert reread(rollcall, job).state is JobState.CANCELLED
    assert lines(journal, job.id) == ["refund:True"]


def test_a_lost_cancellation_is_published_again(rollcall: Harness, journal: Path) -> None:
    job = ask(rollcall, journal)
    cancel(rollcall.services, job.id)
    rollcall.messages.clear()
    rollcall.clock.advance(6)
    depths = dict.fromkeys(QUEUES, 0) | {"realtime": 1}
    reconcile(rollcall.services, depths)
    rollcall.process_messages()
    assert reread(rollcall, job).state is JobState.CANCELLED


def test_a_job_that_waits_is_cancelled(rollcall: Harness, journal: Path) -> None:
    job = ask(rollcall, journal, fails="make", how="always")
    rollcall.engine.on_pause = lambda: cancel(rollcall.services, job.id)
    rollcall.process_messages()
    assert reread(rollcall, job).state is JobState.CANCELLED
    assert "refund:True" in lines(journal, job.id)


def test_what_has_ended_stays_as_it_ended(rollcall: Harness, journal: Path) -> None:
    job = ask(rollcall, journal)
    rollcall.process_messages()
    asked = cancel(rollcall.services, job.id)
    assert asked is not None
    assert (asked.state, asked.cancel_requested_at) == (JobState.SUCCEEDED, None)
    assert cancel(rollcall.services, "0" * 32) is None


def test_a_failed_job_is_tried_again_as_a_new_one_and_once(rollcall: Harness, journal: Path) -> None:
    job = ask(rollcall, journal, fails="send", how="for-good")
    rollcall.process_messages()
    failed = reread(rollcall, job)
    assert (failed.state, failed.error) == (JobState.FAILED, "send cannot be done")
    assert lines(journal, job.id)[-1] == "refund:False"

    again, created = retry(rollcall.services, job.id)
    twice, is_new = retry(rollcall.services, job.id)

    assert (created, is_new, twice.id) == (True, False, again.id)
    assert (again.retry_of, again.input) == (job.id, job.input)
    rollcall.process_messages()
    assert lines(journal, again.id)[0] == "fetch:begun"


def test_only_what_failed_or_was_cancelled_is_tried_again(rollcall: Harness, journal: Path) -> None:
    job = ask(rollcall, journal)
    for unknown in (job.id, "0" * 32):
        with pytest.raises(InvalidInputError, match="job_id"):
            retry(rollcall.services, unknown)


def submit_with_webhook(rollcall: Harness, journal: Path, **given: object) -> JobRecord:
    values = {"journal": str(journal), **given}
    return submit(rollcall.services, "errand", values, webhook_url=URL)[0]  # type: ignore[arg-type]


def test_the_caller_is_notified_of_the_end_once(rollcall: Harness, journal: Path) -> None:
    job = submit_with_webhook(rollcall, journal)
    rollcall.process_messages()
    rollcall.advance(6)
    rollcall.advance(6)
    ((url, said),) = rollcall.webhook.calls
    assert (url, said["type"], said["job"]["state"]) == (URL, "job.succeeded", "succeeded")
    assert said["job"]["result"] == reread(rollcall, job).result


def test_a_caller_who_is_unavailable_is_reported_later(rollcall: Harness, journal: Path) -> None:
    submit_with_webhook(rollcall, journal, fails="make", how="for-good")
    rollcall.webhook.error = UpstreamError("503")
    rollcall.advance(6)
    rollcall.advance(5)
    assert (rollcall.webhook.refused, rollcall.webhook.calls) == (1, [])
    rollcall.webhook.error = None
    rollcall.advance(6)
    rollcall.advance(6)
    ((_, said),) = rollcall.webhook.calls
    assert (said["type"], said["job"]["error"]) == ("job.failed", "make cannot be done")


@pytest.mark.parametrize(
    ("error", "tries"), [(UpstreamError("503"), MAX_CALLBACK_ATTEMPTS), (RejectedError("not public"), 1)]
)
def test_a_caller_who_cannot_be_reported_is_given_up(
    rollcall: Harness, journal: Path, error: UpstreamError | RejectedError, tries: int
) -> None:
    submit_with_webhook(rollcall, journal)
    rollcall.webhook.error = error
    for _ in range(MAX_CALLBACK_ATTEMPTS + 2):
        rollcall.advance(3700)
    assert rollcall.webhook.refused == tries


def test_callers_cannot_name_the_payment_that_a_failure_gives_back(rollcall: Harness) -> None:
    services = replace(rollcall.services, jobs=replace(rollcall.services.jobs, kinds=KINDS))
    given = {"email": "ada@example.edu", "source": "scraper", "term": "2261", "sections": ["12431"]}
    with pytest.raises(InvalidInputError) as refused:
        submit(services, "report", given | {"payment": "cs_of_somebody"})
    assert refused.value.problems == {"input.payment": "is reserved for Rollcall"}
    assert submit(services, "report", given)[1]
