from __future__ import annotations

import base64
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
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.notification import Accepted, Attachment, DeliveryResult, Rejected
from notifications.resend import Resend
from notifications.resend_responses import wait_seconds
from tests.notifications.examples import message, messages
from tests.standins.resend import ResendStandIn
from tests.support.clock import FakeClock
from tests.support.receiver import receiver
from tests.support.stack import wait_until


@pytest.fixture
def standin() -> Iterator[ResendStandIn]:
    with ResendStandIn() as running:
        yield running


@pytest.fixture
def mailer(standin: ResendStandIn) -> Resend:
    return Resend("re_test", FakeClock(), standin.url)


def ids(results: list[DeliveryResult]) -> list[str]:
    return [result.provider_id for result in results if isinstance(result, Accepted)]


def test_a_message_arrives_complete(standin: ResendStandIn, mailer: Resend) -> None:
    sent = message()
    results = mailer.send([sent], "key")
    [mail] = standin.mails
    assert ids(results) == [mail["id"]]
    assert (mail["from"], mail["to"], mail["subject"]) == (sent.sender, [sent.to], sent.subject)
    assert (mail["text"], mail["html"], mail["headers"]) == (sent.text, sent.html, sent.headers)
    assert mail["key"] == "key"


def test_a_batch_of_a_hundred_is_one_request_in_order(standin: ResendStandIn, mailer: Resend) -> None:
    sent = messages(mailer.batch_size)
    assert ids(mailer.send(sent, "key")) == [mail["id"] for mail in standin.mails]
    assert [mail["to"] for mail in standin.mails] == [[each.to] for each in sent]
    assert standin.stats["requests"] == 1


def test_only_the_refused_messages_of_a_batch_are_rejected(standin: ResendStandIn, mailer: Resend) -> None:
    standin.fault({"kind": "refuse", "indexes": [0, 2]})
    results = mailer.send(messages(4), "key")
    reason = Rejected("Refused by the script.")
    first, second = (mail["id"] for mail in standin.mails)
    assert results == [reason, Accepted(first), reason, Accepted(second)]


def test_a_malformed_address_rejects_only_its_message(mailer: Resend) -> None:
    bad, good = mailer.send([replace(message(), to="no-address"), message()], "key")
    assert isinstance(bad, Rejected)
    assert "Invalid `to`" in bad.reason
    assert isinstance(good, Accepted)


def test_every_message_of_a_batch_can_be_rejected(standin: ResendStandIn, mailer: Resend) -> None:
    standin.fault({"kind": "refuse", "indexes": [0, 1]})
    assert mailer.send(messages(2), "key") == [Rejected("Refused by the script.")] * 2


@pytest.mark.parametrize("kind", ["lose_answer", "miscount"])
def test_a_retry_under_the_same_key_recovers_a_lost_answer_without_a_second_mail(
    standin: ResendStandIn, mailer: Resend, kind: str
) -> None:
    standin.fault({"kind": kind, "times": 1})
    with pytest.raises(MalformedResponseError):
        mailer.send(messages(3), "key")
    if kind == "lose_answer":
        assert ids(mailer.send(messages(3), "key")) == [mail["id"] for mail in standin.mails]
    assert len(standin.mails) == 3


def test_the_outcome_of_a_timed_out_request_is_unknown(standin: ResendStandIn) -> None:
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
def test_a_refusal_has_a_type_and_accepts_nothing(
    standin: ResendStandIn, mailer: Resend, fault: dict[str, Any], error: type[Exception]
) -> None:
    standin.fault(fault)
    with pytest.raises(error) as caught:
        mailer.send([message()], "key")
    assert type(caught.value) is error
    assert standin.mails == []


def test_a_key_that_was_used_for_other_messages_has_an_unknown_outcome(
    standin: ResendStandIn, mailer: Resend
) -> None:
    mailer.send(messages(2), "key")
    with pytest.raises(IdempotencyKeyUsedError, match="invalid_idempotent_request"):
        mailer.send(messages(3), "key")
    assert len(standin.mails) == 2


class RecordingRateLimiter:
    """A rate limiter that never waits and records every call."""

    def __init__(self, standin: ResendStandIn) -> None:
        self._standin = standin
        self.waits: list[int] = []
        self.held: list[float] = []

    def wait(self) -> None:
        self.waits.append(len(self._standin.mails))

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)


def test_each_request_waits_for_the_rate_limiter(standin: ResendStandIn) -> None:
    limiter = RecordingRateLimiter(standin)
    patient = Resend("re_test", FakeClock(), standin.url, limiter)
    patient.send([message()], "one")
    patient.send([message(id=2)], "two")
    assert limiter.waits == [0, 1]


def test_a_rate_limit_holds_the_fleet(standin: ResendStandIn) -> None:
    limiter = RecordingRateLimiter(standin)
    standin.fault({"kind": "rate_limit", "times": 1, "retry_after": 7})
    with pytest.raises(RateLimitedError):
        Resend("re_test", FakeClock(), standin.url, limiter).send([message()], "key")
    assert limiter.held == [7.0]


def test_an_exhausted_rate_holds_the_fleet_before_a_refusal() -> None:
    with ResendStandIn(requests_per_second=1) as slow:
        limiter = RecordingRateLimiter(slow)
        Resend("re_test", FakeClock(), slow.url, limiter).send([message()], "key")
        assert len(slow.mails) == 1
        assert limiter.held == [1.0]


def test_threads_can_share_a_transport(standin: ResendStandIn, mailer: Resend) -> None:
    senders = [
        threading.Thread(target=mailer.send, args=([message(id=number)], f"key {number}"))
        for number in range(8)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert {mail["key"] for mail in standin.mails} == {f"key {number}" for number in range(8)}


def test_a_message_with_an_attachment_is_sent_alone_and_once(standin: ResendStandIn, mailer: Resend) -> None:
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


def test_a_single_message_to_a_malformed_address_is_rejected(mailer: Resend) -> None:
    carried = replace(message(), to="no-address", attachments=(Attachment("a", "text/plain", b"a"),))
    with pytest.raises(RejectedError):
        mailer.send([carried], "key")


def test_nothing_heavy_is_imported_before_the_first_message() -> None:
    program = (
        "import sys, notifications.messages, notifications.postmark, notifications.preview\n"
        "import notifications.resend, notifications.smtp\n"
        "print({'resend', 'requests', 'jinja2'} & sys.modules.keys())"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2.5", "ratelimit-reset": "9"}, 2.5),
        ({"ratelimit-reset": "9"}, 9),
        ({"retry-after": "Thu, 15 Jan 2026 09:01:00 GMT"}, 60),
        ({"retry-after": "Thu, 15 Jan 2026 08:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_in_either_header(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_seconds(headers, FakeClock().now()) == seconds


def test_the_domains_are_listed_without_sending(standin: ResendStandIn, mailer: Resend) -> None:
    standin.domains = {"example.edu": "verified", "example.org": "pending"}
    assert mailer.domains() == standin.domains
    assert standin.stats["accepted"] == 0


def test_a_key_that_may_only_send_is_distinguished_from_a_wrong_one(
    standin: ResendStandIn, mailer: Resend
) -> None:
    standin.may_only_send = True
    assert mailer.domains() is None
    with pytest.raises(UnauthorisedError, match="API key is invalid"):
        Resend("re_wrong", FakeClock(), standin.url).domains()


@pytest.mark.parametrize(
    ("status", "error"), [(500, UpstreamError), (400, UnauthorisedError), (200, MalformedResponseError)]
)
def test_domains_answered_by_a_proxy_are_an_error(status: int, error: type[Exception]) -> None:
    with receiver() as proxy:
        proxy.statuses.append(status)
        with pytest.raises(error):
            Resend("re_test", FakeClock(), proxy.url).domains()
