from __future__ import annotations

import base64
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import (
    AccountRefusedError,
    IdempotencyKeyUsedError,
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    TransientError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.notification import Accepted, Attachment, DeliveryResult, Rejected
from notifications.resend import Resend
from tests.notifications.examples import message, messages
from tests.standins.resend import ResendStandIn
from tests.support.clock import FakeClock
from tests.support.stack import wait_until


@pytest.fixture
def standin() -> Iterator[ResendStandIn]:
    with ResendStandIn() as running:
        yield running


@pytest.fixture
def mailer(standin: ResendStandIn) -> Resend:
    return Resend("re_test", FakeClock(), standin.url)


def ids(receipts: list[DeliveryResult]) -> list[str]:
    return [receipt.provider_id for receipt in receipts if isinstance(receipt, Accepted)]


def test_a_letter_arrives_whole(standin: ResendStandIn, mailer: Resend) -> None:
    sent = message()
    receipts = mailer.send([sent], "key")
    [mail] = standin.mails
    assert ids(receipts) == [mail["id"]]
    assert (mail["from"], mail["to"], mail["subject"]) == (sent.sender, [sent.to], sent.subject)
    assert (mail["text"], mail["html"], mail["headers"]) == (sent.text, sent.html, sent.headers)
    assert mail["key"] == "key"


def test_a_hundred_letters_are_one_request_and_keep_their_order(
    standin: ResendStandIn, mailer: Resend
) -> None:
    sent = messages(mailer.batch_size)
    assert ids(mailer.send(sent, "key")) == [mail["id"] for mail in standin.mails]
    assert [mail["to"] for mail in standin.mails] == [[each.to] for each in sent]
    assert standin.stats["requests"] == 1


def test_no_letters_are_no_request(standin: ResendStandIn, mailer: Resend) -> None:
    assert mailer.send([], "key") == []
    assert standin.stats["requests"] == 0


def test_repeating_a_call_gives_the_same_receipts_and_mails_nobody_twice(
    standin: ResendStandIn, mailer: Resend
) -> None:
    assert mailer.send(messages(3), "key") == mailer.send(messages(3), "key")
    assert len(standin.mails) == 3


def test_only_the_refused_letters_of_a_batch_are_refused(standin: ResendStandIn, mailer: Resend) -> None:
    standin.fault({"kind": "refuse", "indexes": [0, 2]})
    receipts = mailer.send(messages(4), "key")
    reason = Rejected("Refused by the script.")
    first, second = (mail["id"] for mail in standin.mails)
    assert receipts == [reason, Accepted(first), reason, Accepted(second)]


def test_a_malformed_address_is_refused_alone(mailer: Resend) -> None:
    bad, good = mailer.send([replace(message(), to="nobody"), message()], "key")
    assert isinstance(bad, Rejected)
    assert "Invalid `to`" in bad.reason
    assert isinstance(good, Accepted)


def test_a_batch_may_be_refused_to_the_last_letter(standin: ResendStandIn, mailer: Resend) -> None:
    standin.fault({"kind": "refuse", "indexes": [0, 1]})
    assert mailer.send(messages(2), "key") == [Rejected("Refused by the script.")] * 2


@pytest.mark.parametrize("kind", ["lose_answer", "miscount"])
def test_after_a_lost_answer_the_same_key_tells_the_fate_without_a_second_mail(
    standin: ResendStandIn, mailer: Resend, kind: str
) -> None:
    standin.fault({"kind": kind, "times": 1})
    with pytest.raises(MalformedResponseError):
        mailer.send(messages(3), "key")
    if kind == "lose_answer":
        assert ids(mailer.send(messages(3), "key")) == [mail["id"] for mail in standin.mails]
    assert len(standin.mails) == 3


def test_an_answer_that_is_too_slow_is_of_unknown_fate(standin: ResendStandIn) -> None:
    standin.fault({"kind": "hang", "seconds": 4, "times": 1})
    hurried, patient = (Resend("re_test", FakeClock(), standin.url, timeout_seconds=s) for s in (1.0, 20.0))
    with pytest.raises(UpstreamTimeoutError):
        hurried.send([message()], "key")
    with pytest.raises(TransientError, match="concurrent_idempotent_requests"):
        patient.send([message()], "key")
    wait_until(lambda: len(standin.mails) == 1, "the mail of the slow answer")
    assert ids(patient.send([message()], "key")) == [standin.mails[0]["id"]]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "error"}, UpstreamError),
        ({"kind": "error", "status": 503, "name": "service_unavailable"}, UpstreamError),
        ({"kind": "error", "status": 403, "name": "validation_error"}, AccountRefusedError),
        ({"kind": "error", "status": 401, "name": "restricted_api_key"}, UnauthorisedError),
        ({"kind": "error", "status": 422, "name": "validation_error"}, RejectedError),
        ({"kind": "error", "status": 400, "name": "invalid_idempotency_key"}, AccountRefusedError),
        ({"kind": "garble"}, MalformedResponseError),
    ],
)
def test_an_answer_that_takes_nothing_says_whether_to_try_again(
    standin: ResendStandIn, mailer: Resend, fault: dict[str, Any], error: type[Exception]
) -> None:
    standin.fault(fault)
    with pytest.raises(error) as caught:
        mailer.send([message()], "key")
    assert type(caught.value) is error
    assert standin.mails == []


def test_a_busy_service_says_when_to_come_back(standin: ResendStandIn, mailer: Resend) -> None:
    standin.fault({"kind": "rate_limit", "retry_after": 7})
    with pytest.raises(RateLimitedError) as caught:
        mailer.send([message()], "key")
    assert caught.value.retry_after_seconds == 7


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "2.5", "ratelimit-reset": "9"}, 2.5),
        ({"RateLimit-Reset": "9"}, 9),
        ({"retry-after": "Thu, 15 Jan 2026 09:01:00 GMT"}, 60),
        ({"retry-after": "Thu, 15 Jan 2026 08:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_from_whichever_header_names_it(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert Resend("re_test", FakeClock())._retry_after_seconds(headers) == seconds


def test_a_wrong_key_is_no_reason_to_try_again(standin: ResendStandIn) -> None:
    with pytest.raises(UnauthorisedError, match="invalid_api_key"):
        Resend("re_wrong", FakeClock(), standin.url).send([message()], "key")


def test_a_key_used_for_other_letters_does_not_tell_their_fate(
    standin: ResendStandIn, mailer: Resend
) -> None:
    mailer.send(messages(2), "key")
    with pytest.raises(IdempotencyKeyUsedError, match="invalid_idempotent_request"):
        mailer.send(messages(3), "key")
    assert len(standin.mails) == 2


def test_more_letters_than_a_batch_holds_are_rejected(mailer: Resend) -> None:
    with pytest.raises(RejectedError):
        mailer.send(messages(101), "key")


def test_a_service_that_is_down_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(UnreachableError):
            Resend("re_test", FakeClock(), url).send([message()], "key")


class RecordedTurns:
    """A `domain.ports.Turns` that lets everybody through and remembers."""

    def __init__(self, standin: ResendStandIn) -> None:
        self._standin = standin
        self.taken: list[int] = []
        self.held: list[float] = []

    def wait(self) -> None:
        self.taken.append(len(self._standin.mails))

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)


def test_every_request_waits_for_its_turn(standin: ResendStandIn) -> None:
    turns = RecordedTurns(standin)
    patient = Resend("re_test", FakeClock(), standin.url, turns)
    patient.send([message()], "one")
    patient.send([message(id=2)], "two")
    assert turns.taken == [0, 1]


def test_a_refusal_for_too_many_requests_holds_the_fleet(standin: ResendStandIn) -> None:
    turns = RecordedTurns(standin)
    standin.fault({"kind": "rate_limit", "times": 1, "retry_after": 7})
    with pytest.raises(RateLimitedError):
        Resend("re_test", FakeClock(), standin.url, turns).send([message()], "key")
    assert turns.held == [7.0]


def test_a_spent_rate_holds_the_fleet_before_anything_is_refused() -> None:
    with ResendStandIn(requests_per_second=1) as slow:
        turns = RecordedTurns(slow)
        Resend("re_test", FakeClock(), slow.url, turns).send([message()], "key")
        assert len(slow.mails) == 1
        assert turns.held == [1.0]


def test_threads_may_share_a_mailer(standin: ResendStandIn, mailer: Resend) -> None:
    senders = [
        threading.Thread(target=mailer.send, args=([message(id=number)], f"key {number}"))
        for number in range(8)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert {mail["key"] for mail in standin.mails} == {f"key {number}" for number in range(8)}


def test_a_letter_with_an_attachment_goes_alone_and_once(standin: ResendStandIn, mailer: Resend) -> None:
    carried = replace(message(), attachments=(Attachment("a.pdf", "application/pdf", b"%PDF-\x00\xff"),))
    first, second = mailer.send([carried], "key"), mailer.send([carried], "key")

    [mail] = standin.mails
    assert ids(first) == ids(second) == [mail["id"]]
    assert mail["key"] == "key"
    assert mail["headers"] == carried.headers
    [attached] = mail["attachments"]
    assert (attached["filename"], attached["content_type"]) == ("a.pdf", "application/pdf")
    assert base64.b64decode(attached["content"]) == b"%PDF-\x00\xff"
    with pytest.raises(RejectedError):
        mailer.send([carried, message()], "another key")


def test_an_address_that_resend_refuses_alone_is_refused(mailer: Resend) -> None:
    carried = replace(message(), to="nobody", attachments=(Attachment("a", "text/plain", b"a"),))
    with pytest.raises(RejectedError):
        mailer.send([carried], "key")


def test_nothing_heavy_is_imported_before_the_first_letter() -> None:
    program = (
        "import sys, notifications.messages, notifications.postmark, notifications.preview\n"
        "import notifications.resend, notifications.smtp\n"
        "print({'resend', 'requests', 'jinja2'} & sys.modules.keys())"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_letters_that_must_not_leave_are_kept_at_the_last_moment(
    standin: ResendStandIn, mailer: Resend
) -> None:
    def refuse() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        mailer.send([message()], "key", refuse)
    assert standin.mails == []
