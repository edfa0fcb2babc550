from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import redis
from pypdf import PdfReader

from domain.errors import (
    InvalidInputError,
    RejectedError,
    StorageFullError,
    UnreachableError,
    UpstreamError,
)
from domain.job import JobState, NewJob, Profile
from domain.money import Refund, RefundState
from domain.notification import Attachment, OutboundMessage
from notifications.resend import Resend
from providers.storage import Folder
from tests.standins.resend import ResendStandIn
from tests.workflows.opening import a_shop
from tests.workflows.shop import ORDER, PDF, Shop
from workflows.report import workflow
from workflows.report.pdf import LocalPdfRenderer


class FullFolder(Folder):
    def put(self, key: str, content: bytes, content_type: str) -> None:
        raise StorageFullError("no room is left")


class FolderAway(Folder):
    """It cannot do `what` with the PDF the first few times."""

    def __init__(self, root: Path, what: str) -> None:
        super().__init__(root)
        self.what, self.left = what, 5

    def put(self, key: str, content: bytes, content_type: str) -> None:
        self._fail("put", key)
        super().put(key, content, content_type)

    def get(self, key: str) -> bytes:
        self._fail("get", key)
        return super().get(key)

    def _fail(self, what: str, key: str) -> None:
        if (what, key.rpartition(".")[2]) == (self.what, "pdf") and self.left:
            self.left -= 1
            raise StorageFullError("no room is left")


class CrashError(BaseException):
    """The process died."""


class Crash:
    """It happens once."""

    is_over = False

    def __call__(self) -> None:
        if not self.is_over:
            self.is_over = True
            raise CrashError


@pytest.fixture
def shop(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Shop]:
    with a_shop(tmp_path, redis_client, prefix) as found:
        yield found


def test_an_order_is_delivered_as_a_pdf_by_mail(shop: Shop) -> None:
    shop.printer = LocalPdfRenderer()
    job = shop.carry_out(shop.order())

    (message,) = shop.post.sent
    (attached,) = message.attachments
    assert (message.to, attached.name, attached.content_type) == (
        "ada@example.edu",
        "seat-history-2261.pdf",
        "application/pdf",
    )
    text = PdfReader(BytesIO(attached.content)).pages[1].extract_text()
    assert "section 12430" in text
    assert job.state is JobState.SUCCEEDED
    assert job.result == {
        "artifact": f"jobs/{job.id}/report.pdf",
        "content_type": "application/pdf",
        "bytes": len(attached.content),
        "mail_id": shop.post.keys[f"report-{job.id}-deliver"][0].provider_id,  # type: ignore[union-attr]
        "sections": 2,
    }
    assert shop.storage.get(f"jobs/{job.id}/report.pdf") == attached.content
    assert (shop.bank.calls, shop.payment().failure_reason) == (0, None)


@pytest.mark.parametrize("step", ["collect", "print", "deliver"])
@pytest.mark.parametrize("moment", ["before", "unkept", "kept"])
def test_a_crash_at_any_step_delivers_one_message(shop: Shop, step: str, moment: str) -> None:
    job, engine = shop.order(), shop.engine
    engine.start(job)
    memory = engine.hooks[job.id]

    def crash(place: str) -> None:
        if place == f"{step}:{moment}":
            memory.crash = lambda _: None
            raise CrashError

    memory.crash = crash
    with pytest.raises(CrashError):
        engine.run(job.id)
    engine.run(job.id)

    assert shop.look(job.id).state is JobState.SUCCEEDED
    assert [message.attachments[0].content for message in shop.post.sent] == [PDF]
    assert shop.bank.calls == 0


def test_sections_that_no_one_ever_saw_are_refunded(shop: Shop) -> None:
    job = shop.carry_out(shop.order(sections=["99999"]))

    assert job.state is JobState.FAILED
    assert job.error == "nothing was ever observed of these sections in term 2261"
    assert shop.payment().refund == Refund("re_pi_1", RefundState.SUCCEEDED)
    assert shop.payment().failure_reason == (
        "The report was not delivered: nothing was ever observed of these sections in term 2261"
    )
    assert shop.post.sent == []


def test_an_address_that_takes_no_mail_is_refunded(shop: Shop) -> None:
    shop.post.errors.append(RejectedError("no such address"))
    job = shop.carry_out(shop.order())
    assert (job.state, job.error, len(shop.bank.refunds)) == (JobState.FAILED, "no such address", 1)


def test_a_message_whose_answer_is_lost_is_sent_once(shop: Shop) -> None:
    shop.post.errors += [UnreachableError("lost"), None]
    shop.post.accepts_despite_errors = True
    job = shop.carry_out(shop.order())
    assert (job.state, len(shop.post.sent), shop.post.calls) == (JobState.SUCCEEDED, 1, 2)


def test_a_message_outlives_an_outage_of_its_provider(shop: Shop) -> None:
    shop.post.errors += [UpstreamError("503")] * 11
    start = shop.store.clock.now()
    job = shop.carry_out(shop.order())

    assert (job.state, len(shop.post.sent), shop.bank.calls) == (JobState.SUCCEEDED, 1, 0)
    assert job.finished_at is not None
    assert job.finished_at - start > timedelta(minutes=23)
    assert [step.attempts for step in job.steps] == [1, 1, 12]


def test_a_breaker_that_stays_open_for_longer_than_all_attempts_take_costs_none(shop: Shop) -> None:
    breaker, start = shop.breakers["mail"], shop.store.clock.now()
    breaker.force_open("ada")

    def close() -> None:
        if shop.store.clock.now() - start > timedelta(minutes=40):
            breaker.reset("ada")

    job, engine = shop.order(), shop.engine
    engine.on_pause = close
    engine.start(job)
    engine.work()

    ended = shop.look(job.id)
    assert (ended.state, len(shop.post.sent)) == (JobState.SUCCEEDED, 1)
    assert [step.attempts for step in ended.steps] == [1, 1, 1]


def test_a_provider_of_messages_that_does_not_come_back_ends_the_order(shop: Shop) -> None:
    shop.post.errors += [UpstreamError("503")] * 12
    job = shop.carry_out(shop.order())
    assert (job.state, job.error, len(shop.bank.refunds)) == (JobState.FAILED, "503", 1)


@pytest.mark.parametrize("what", ["put", "get"])
def test_a_storage_that_fails_is_held_against_no_one_else_and_what_was_printed_is_kept(
    shop: Shop, what: str
) -> None:
    shop.storage, shop.printer_breaker = FolderAway(shop.folder, what), "docraptor"
    failures: set[int] = set()
    engine = shop.engine
    engine.on_pause = lambda: failures.update(each.snapshot().failures for each in shop.breakers.values())
    job = shop.order()
    engine.start(job)
    engine.work()

    assert (shop.look(job.id).state, len(shop.printed), len(shop.post.sent)) == (JobState.SUCCEEDED, 1, 1)
    assert failures == {0}


def test_a_printer_that_is_unavailable_is_held_against_it(shop: Shop) -> None:
    def away(_: str) -> bytes:
        raise UpstreamError("503")

    shop.printer, shop.printer_breaker = away, "docraptor"
    shop.carry_out(shop.order())
    assert shop.breakers["docraptor"].snapshot().state == "open"
    assert shop.breakers["mail"].snapshot().failures == 0


def test_a_report_for_an_address_that_bounced_or_complained_is_refunded_and_not_sent(shop: Shop) -> None:
    shop.report("bounced", "another letter", "no such user")
    job = shop.carry_out(shop.order())
    error = "mail to the address is suppressed (no such user)"
    assert (job.state, job.error, shop.post.calls) == (JobState.FAILED, error, 0)
    assert len(shop.bank.refunds) == 1
    assert shop.payment().failure_reason == f"The report was not delivered: {error}"


def test_a_person_who_stopped_one_watch_gets_the_report_that_they_bought(shop: Shop) -> None:
    (stored,) = shop.store.watches.all_of("ada@example.edu")
    assert shop.store.opt_outs.stop_section(stored.id, "ada@example.edu", shop.store.clock.now())
    job = shop.carry_out(shop.order())
    assert (job.state, len(shop.post.sent)) == (JobState.SUCCEEDED, 1)


def test_a_report_for_a_person_who_stopped_all_mail_is_refunded_and_not_sent(shop: Shop) -> None:
    shop.store.opt_outs.stop_all("ada@example.edu", shop.store.clock.now())
    job = shop.carry_out(shop.order())
    assert (job.state, shop.post.calls, len(shop.bank.refunds)) == (JobState.FAILED, 0, 1)
    assert job.error is not None
    assert "the person stopped all mail" in job.error


def test_a_message_that_comes_back_is_reported_even_before_its_job_has_ended(shop: Shop) -> None:
    job, engine = shop.order(), shop.engine
    engine.start(job)
    mail_id = f"report-{job.id}-deliver-0"

    def bounce(place: str) -> None:
        if place == "deliver:unkept":
            shop.report("bounced", mail_id, "no such user")

    engine.hooks[job.id].crash = bounce
    engine.work()

    assert (shop.look(job.id).result or {})["mail_id"] == mail_id
    (payment,) = shop.payments.failed_since(shop.store.clock.now() - timedelta(hours=1))
    assert (payment.session_id, payment.job_id) == ("cs_1", job.id)
    assert payment.failure_reason == (
        "The mail with the report that cs_1 paid for did not arrive (bounced: no such user)."
    )


@pytest.mark.parametrize(
    ("kind", "reason"), [("report", "sections: must be"), ("dance", "knows no job 'dance'")]
)
def test_an_order_that_this_release_cannot_read_is_refunded_though_its_process_dies(
    shop: Shop, kind: str, reason: str
) -> None:
    job, engine = shop.order(kind, sections=[]), shop.engine
    engine.start(job)
    engine.on_pause = Crash()
    shop.bank.troubles.append(UpstreamError("503"))
    with pytest.raises(CrashError):
        engine.run(job.id)
    engine.run(job.id)

    ended = shop.look(job.id)
    assert ended.state is JobState.FAILED
    assert reason in str(ended.error)
    assert shop.payment().refund == Refund("re_pi_1", RefundState.SUCCEEDED)
    assert reason in str(shop.payment().failure_reason)


def test_a_pause_of_mail_only_delays_the_message(shop: Shop) -> None:
    start = shop.store.clock.now()
    shop.store.pauses.pause("mail", start + timedelta(minutes=40), "moving house", "ada", start)
    job = shop.carry_out(shop.order())

    assert (job.state, len(shop.post.sent), shop.post.calls) == (JobState.SUCCEEDED, 1, 1)
    assert job.steps[-1].attempts == 1
    assert job.finished_at is not None
    assert job.finished_at - start >= timedelta(minutes=40)


def test_a_cancelled_order_is_refunded_and_not_sent(shop: Shop) -> None:
    job = shop.order()
    shop.jobs.request_cancel(job.id, shop.store.clock.now())
    job = shop.carry_out(job)
    assert (job.state, len(shop.bank.refunds), shop.post.sent) == (JobState.CANCELLED, 1, [])


def test_a_message_that_another_release_wrote_and_sent_is_delivered_and_not_refunded(shop: Shop) -> None:
    job = shop.order()
    with ResendStandIn() as resend:
        shop.mailer = Resend(resend.api_key, shop.store.clock, resend.url)
        earlier = OutboundMessage(
            "r@example.edu", "ada@example.edu", "Your report", "in other words", "<p>", {}
        )
        earlier = replace(earlier, attachments=(Attachment("report.pdf", "application/pdf", PDF),))
        shop.mailer.send([earlier], f"report-{job.id}-deliver")
        ended = shop.carry_out(job)
        assert len(resend.mails) == 1

    assert (ended.state, (ended.result or {})["mail_id"]) == (JobState.SUCCEEDED, "unknown")
    assert (shop.bank.calls, shop.payment().failure_reason) == (0, None)


def test_a_message_whose_first_request_is_still_under_way_is_asked_about_again(shop: Shop) -> None:
    with ResendStandIn() as resend:
        shop.mailer = Resend(resend.api_key, shop.store.clock, resend.url)
        resend.fault({"kind": "error", "status": 409, "name": "concurrent_idempotent_requests", "times": 2})
        ended = shop.carry_out(shop.order())
        assert len(resend.mails) == 1
    assert (ended.state, shop.bank.calls) == (JobState.SUCCEEDED, 0)


def test_an_order_that_is_cancelled_while_the_answer_to_its_message_is_lost_is_not_refunded(
    shop: Shop,
) -> None:
    shop.post.errors += [UnreachableError("lost"), None]
    shop.post.accepts_despite_errors = True
    job, engine = shop.order(), shop.engine
    engine.on_pause = lambda: shop.jobs.request_cancel(job.id, shop.store.clock.now())
    engine.start(job)
    engine.work()

    ended = shop.look(job.id)
    assert (ended.state, len(shop.post.sent), shop.bank.calls) == (JobState.SUCCEEDED, 1, 0)


def test_an_order_that_is_cancelled_after_a_crash_behind_its_message_is_not_refunded(shop: Shop) -> None:
    job, engine = shop.order(), shop.engine
    engine.start(job)
    shop.post.after_send = Crash()
    with pytest.raises(CrashError):
        engine.run(job.id)
    shop.jobs.request_cancel(job.id, shop.store.clock.now())
    engine.run(job.id)

    ended = shop.look(job.id)
    assert (ended.state, len(shop.post.sent), shop.bank.calls) == (JobState.SUCCEEDED, 1, 0)


def test_without_a_key_nothing_is_refunded_and_the_operator_hears_of_it(shop: Shop) -> None:
    shop.may_refund = False
    shop.carry_out(shop.order(sections=["99999"]))
    assert (shop.bank.calls, shop.payment().refund) == (0, None)
    assert shop.payments.failed_since(shop.store.clock.now() - timedelta(hours=1)) == [shop.payment()]


def test_a_refund_is_tried_again_and_made_once(shop: Shop) -> None:
    shop.bank.troubles += [UpstreamError("down"), UpstreamError("down")]
    shop.carry_out(shop.order(sections=["99999"]))
    assert (shop.bank.calls, len(shop.bank.refunds)) == (3, 1)


def test_a_report_that_is_tried_again_and_fails_again_is_refunded_once(shop: Shop) -> None:
    first = shop.carry_out(shop.order(sections=["99999"]))
    retry = NewJob("report", Profile.REALTIME, first.input, retry_of=first.id)
    again, _ = shop.jobs.add(retry, shop.store.clock.now())
    shop.carry_out(again)
    assert shop.bank.calls == 1


def test_an_order_without_a_payment_is_only_ended(shop: Shop) -> None:
    given = {name: value for name, value in ORDER.items() if name != "payment"}
    job, _ = shop.jobs.add(
        NewJob("report", Profile.REALTIME, given | {"sections": ["1"]}), shop.store.clock.now()
    )
    assert shop.carry_out(job).state is JobState.FAILED
    assert shop.bank.calls == 0


def test_a_full_disk_ends_the_order_with_a_reason(shop: Shop) -> None:
    shop.storage = FullFolder(shop.folder)
    job = shop.carry_out(shop.order())
    assert job.state is JobState.FAILED
    assert job.error == "no room is left"
    assert len(shop.bank.refunds) == 1


def test_the_term_is_reported_once_its_days_are_condensed(shop: Shop) -> None:
    shop.carry_out(shop.order())
    shop.store.show(*[0] * 24, seconds=3600)
    condensing, _ = shop.jobs.add(NewJob("condense", Profile.BATCH, {}), shop.store.clock.now())
    assert shop.carry_out(condensing).result == {"sections": 1, "days": 1}
    second, _ = shop.jobs.add(
        NewJob("report", Profile.REALTIME, ORDER | {"payment": None}), shop.store.clock.now()
    )
    shop.carry_out(second)

    assert ["sections of this term" in html for html in shop.printed] == [False, True]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"email": "nobody"}, {"email"}),
        ({"email": None, "term": None}, {"email", "term"}),
        ({"sections": []}, {"sections"}),
        ({"sections": "12430"}, {"sections"}),
        ({"sections": [str(number) for number in range(21)]}, {"sections"}),
        ({"sections": [" 12"]}, {"sections"}),
        ({"source": "No Source"}, {"source"}),
        ({"term": "/61"}, {"term"}),
        ({"payment": 1}, {"payment"}),
        ({"colour": "red"}, {"colour"}),
    ],
)
def test_bad_input_is_named_by_field(changes: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        workflow.read(ORDER | changes)
    assert refused.value.problems.keys() == fields


def test_a_section_that_is_named_twice_is_notified_of_once() -> None:
    assert workflow.read(ORDER | {"sections": ["2", "1", "2"]}).sections == ("2", "1")
