"""Every transport treats the same events alike, each in its own wire format."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UnreachableError,
)
from domain.notification import Accepted, Deferred, Rejected
from domain.ports import Mailer
from domain.retry import Subject, subject_of
from notifications.postmark import Postmark
from notifications.preview import Preview
from notifications.resend import Resend
from notifications.smtp import Smtp
from tests.notifications.examples import message, messages
from tests.standins.postmark import PostmarkStandIn, error
from tests.standins.resend import ResendStandIn
from tests.standins.server import Answer
from tests.standins.smtp import SmtpStandIn
from tests.support.clock import FakeClock
from tests.support.stack import free_port
from tests.support.wire_faults import EXPECTED as WIRE_ERRORS
from tests.support.wire_faults import IMPATIENT, RefusingServer, WireFault, faulty_server


class Event(StrEnum):
    """What may happen to one letter."""

    ACCEPTED = auto()
    RECIPIENT_REFUSED = auto()
    LETTER_TOO_LARGE = auto()
    RECIPIENT_BUSY = auto()
    UNCLEAR_REFUSAL = auto()
    BAD_KEY = auto()
    SENDER_UNVERIFIED = auto()
    SENDER_MALFORMED = auto()
    QUOTA_SPENT = auto()
    ACCOUNT_SUSPENDED = auto()
    RATE_EXCEEDED = auto()
    BROKEN = auto()
    UNREADABLE = auto()
    ANSWER_LOST = auto()


EXPECTED = {
    Event.ACCEPTED: Accepted,
    Event.RECIPIENT_REFUSED: Rejected,
    Event.LETTER_TOO_LARGE: Rejected,
    Event.RECIPIENT_BUSY: Deferred,
    Event.UNCLEAR_REFUSAL: Deferred,
    Event.BAD_KEY: Subject.ACCOUNT,
    Event.SENDER_UNVERIFIED: Subject.ACCOUNT,
    Event.SENDER_MALFORMED: Subject.ACCOUNT,
    Event.QUOTA_SPENT: Subject.ACCOUNT,
    Event.ACCOUNT_SUSPENDED: Subject.ACCOUNT,
    Event.RATE_EXCEEDED: Subject.RATE,
    Event.BROKEN: Subject.TRANSPORT,
    Event.UNREADABLE: Subject.TRANSPORT,
    Event.ANSWER_LOST: Subject.TRANSPORT,
}

FROM = "Invalid `from` field. The email address needs to follow the `email@example.com` format."
RESEND: dict[Event, dict[str, Any]] = {
    Event.ACCEPTED: {"kind": "hang", "seconds": 0},
    Event.RECIPIENT_REFUSED: {"kind": "refuse"},
    Event.LETTER_TOO_LARGE: {"kind": "error", "status": 413, "name": "payload_too_large"},
    Event.BAD_KEY: {
        "kind": "error",
        "status": 400,
        "name": "validation_error",
        "message": "API key is invalid",
    },
    Event.SENDER_UNVERIFIED: {
        "kind": "error",
        "status": 403,
        "name": "validation_error",
        "message": "The example.edu domain is not verified. Please, add and verify your domain.",
    },
    Event.SENDER_MALFORMED: {"kind": "error", "status": 422, "name": "validation_error", "message": FROM},
    Event.QUOTA_SPENT: {"kind": "error", "status": 429, "name": "daily_quota_exceeded"},
    Event.ACCOUNT_SUSPENDED: {"kind": "error", "status": 404, "name": "not_found"},
    Event.RATE_EXCEEDED: {"kind": "rate_limit"},
    Event.BROKEN: {"kind": "error", "status": 503, "name": "service_unavailable"},
    Event.UNREADABLE: {"kind": "garble"},
    Event.ANSWER_LOST: {"kind": "lose_answer"},
}
TAKEN = Answer(200, json.dumps({"ErrorCode": 0, "Message": "OK", "MessageID": "pm-1"}).encode())
POSTMARK: dict[Event, Answer | None] = {
    Event.ACCEPTED: TAKEN,
    Event.RECIPIENT_REFUSED: error(422, 406, "You tried to send to a recipient that is inactive."),
    Event.LETTER_TOO_LARGE: error(413, 0, "Payload too large"),
    Event.UNCLEAR_REFUSAL: error(422, 402, "Invalid JSON."),
    Event.BAD_KEY: error(401, 10, "Bad or missing server token"),
    Event.SENDER_UNVERIFIED: error(422, 401, "Sender signature not confirmed."),
    Event.SENDER_MALFORMED: error(
        422, 300, "Invalid 'From' address: 'x' is not a verified sender signature."
    ),
    Event.QUOTA_SPENT: error(422, 405, "You ran out of credits."),
    Event.ACCOUNT_SUSPENDED: error(422, 413, "Account may not send."),
    Event.RATE_EXCEEDED: error(429, 429, "Rate limit exceeded"),
    Event.BROKEN: error(503, 100, "Maintenance"),
    Event.UNREADABLE: Answer(200, b"<html>", "text/html"),
    Event.ANSWER_LOST: None,
}
SMTP: dict[Event, tuple[str, str | None]] = {
    Event.ACCEPTED: ("END", "250 2.0.0 queued"),
    Event.RECIPIENT_REFUSED: ("RCPT", "550 5.1.1 no such user"),
    Event.LETTER_TOO_LARGE: ("MAIL", "552 5.3.4 message size exceeds fixed limit"),
    Event.RECIPIENT_BUSY: ("RCPT", "450 4.2.1 mailbox busy"),
    Event.UNCLEAR_REFUSAL: ("END", "554 5.7.1 refused by policy"),
    Event.BAD_KEY: ("AUTH", "535 5.7.8 bad credentials"),
    Event.SENDER_UNVERIFIED: ("END", "554 Message rejected: Email address is not verified."),
    Event.SENDER_MALFORMED: ("MAIL", "553 5.1.7 bad sender address"),
    Event.QUOTA_SPENT: ("END", "550 5.4.5 Daily user sending limit exceeded"),
    Event.ACCOUNT_SUSPENDED: ("MAIL", "550 5.7.1 account suspended"),
    Event.RATE_EXCEEDED: ("END", "454 Throttling failure: Maximum sending rate exceeded"),
    Event.BROKEN: ("MAIL", "421 4.3.2 shutting down"),
    Event.UNREADABLE: ("GREETING", "what?"),
    Event.ANSWER_LOST: ("END", None),
}


SECRET = "a-secret-of-the-tests"


@dataclass
class Running:
    """A transport with its provider; `sent` holds what the provider accepted."""

    mailer: Mailer
    sent: Callable[[], Sequence[object]]


@contextmanager
def resend(event: Event = Event.ACCEPTED) -> Iterator[Running]:
    with ResendStandIn() as standin:
        standin.fault(RESEND[event])
        yield Running(Resend("re_test", FakeClock(), standin.url), lambda: standin.mails)


@contextmanager
def postmark(event: Event = Event.ACCEPTED) -> Iterator[Running]:
    with PostmarkStandIn() as standin:
        if event is not Event.ACCEPTED:
            standin.answers.append(POSTMARK[event])
        yield Running(Postmark("pm_test", standin.url), lambda: standin.mails)


@contextmanager
def smtp(event: Event = Event.ACCEPTED) -> Iterator[Running]:
    with SmtpStandIn() as standin:
        verb, standin.replies[verb] = SMTP[event]
        mailer = Smtp(f"smtp://ada:pw@127.0.0.1:{standin.port}", FakeClock(), timeout_seconds=5)
        yield Running(mailer, lambda: standin.received)


@contextmanager
def preview(event: Event = Event.ACCEPTED) -> Iterator[Running]:
    with TemporaryDirectory() as name:
        folder = Path(name) / "outbox"
        if event is Event.BROKEN:
            folder.write_text("a file in the place of the folder")
        yield Running(Preview(folder, FakeClock()), lambda: list(folder.glob("*.eml")))


@dataclass(frozen=True, slots=True)
class Case:
    """One transport and one event that can occur with it."""

    transport: Callable[[Event], AbstractContextManager[Running]]
    event: Event

    def __str__(self) -> str:
        return f"{self.transport.__name__}-{self.event}"


CASES = [
    *(Case(resend, event) for event in RESEND),
    *(Case(postmark, event) for event in POSTMARK),
    *(Case(smtp, event) for event in SMTP),
    *(Case(preview, event) for event in (Event.ACCEPTED, Event.BROKEN)),
]
TRANSPORTS = pytest.mark.parametrize("transport", [resend, postmark, smtp, preview], ids=lambda t: t.__name__)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_event_concerns_the_message_the_account_the_rate_or_the_transport(case: Case) -> None:
    with case.transport(case.event) as running:
        try:
            (result,) = running.mailer.send([message()], "key")
        except RollcallError as failure:
            subject = subject_of(failure)
            found: object = Rejected if subject is Subject.ITEM else subject  # the same for one message
        else:
            found = type(result)
        if found not in (Accepted, Subject.TRANSPORT):
            assert running.sent() == []
    assert found == EXPECTED[case.event]


def test_each_event_occurs_with_some_transport() -> None:
    assert {case.event for case in CASES} == set(Event)


@TRANSPORTS
def test_an_accepted_message_is_with_the_provider(transport: Callable[[], Any]) -> None:
    with transport() as running:
        (result,) = running.mailer.send([message()], "key")
        assert isinstance(result, Accepted)
        assert len(running.sent()) == 1


@TRANSPORTS
def test_no_messages_are_no_hand_over(transport: Callable[[], Any]) -> None:
    with transport() as running:
        assert running.mailer.send([], "key", before_handover=pytest.fail) == []
        assert running.sent() == []


@TRANSPORTS
def test_more_messages_than_a_batch_holds_are_rejected(transport: Callable[[], Any]) -> None:
    with transport() as running:
        with pytest.raises(RejectedError, match=f"at most {running.mailer.batch_size} messages"):
            running.mailer.send(messages(running.mailer.batch_size + 1), "key")
        assert running.sent() == []


@TRANSPORTS
def test_a_whole_batch_has_one_result_per_message(transport: Callable[[], Any]) -> None:
    with transport() as running:
        count = running.mailer.batch_size
        results = running.mailer.send(messages(count), "key")
        assert [type(result) for result in results] == [Accepted] * count
        assert len(running.sent()) == count


@TRANSPORTS
def test_a_repeated_call_sends_a_second_mail_only_without_idempotency_keys(
    transport: Callable[[], Any],
) -> None:
    with transport() as running:
        first, second = (running.mailer.send([message()], "key") for _ in range(2))
        assert first == second or not running.mailer.is_idempotent
        assert len(running.sent()) == (1 if running.mailer.is_idempotent else 2)


class WithheldError(Exception):
    pass


def withhold() -> None:
    raise WithheldError


@TRANSPORTS
def test_messages_can_be_withheld_until_the_last_moment(transport: Callable[[], Any]) -> None:
    with transport() as running:
        with pytest.raises(WithheldError):
            running.mailer.send([message()], "key", withhold)
        assert running.sent() == []


def over_http(transport: str, url: str, seconds: float) -> Mailer:
    if transport == "resend":
        return Resend(SECRET, FakeClock(), url, timeout_seconds=seconds)
    return Postmark(SECRET, url, seconds)


HTTP = pytest.mark.parametrize("transport", ["resend", "postmark"])


@HTTP
@pytest.mark.parametrize("fault", WireFault)
def test_a_fault_on_the_wire_has_one_type(transport: str, fault: WireFault, certificate: Path) -> None:
    with faulty_server(fault, certificate) as url:
        mailer = over_http(transport, url, 0.3 if fault in IMPATIENT else 30)
        with pytest.raises(RollcallError) as raised:
            mailer.send([message()], "key")
    assert type(raised.value) is WIRE_ERRORS[fault]


SMTP_FAULTS: dict[WireFault, tuple[bytes, float]] = {
    WireFault.NO_ANSWER: (b"", 0.02),
    WireFault.SLOW_DRIP: (b"2", 0.02),
    WireFault.HUGE_BODY: (b"250-more\r\n" * 1000, 0),
}


@pytest.mark.parametrize("fault", SMTP_FAULTS)
def test_an_endless_reply_to_a_message_is_an_unknown_outcome(fault: WireFault) -> None:
    with SmtpStandIn() as standin:
        standin.endless["END"] = SMTP_FAULTS[fault]
        seconds = 0.3 if fault in IMPATIENT else 30
        mailer = Smtp(f"smtp://127.0.0.1:{standin.port}", FakeClock(), timeout_seconds=seconds)
        with pytest.raises(RollcallError) as raised:
            mailer.send([message()], "key")
    assert type(raised.value) is WIRE_ERRORS[fault]


@pytest.mark.parametrize("reply", [None, "what?", "2"])
def test_an_unreadable_reply_to_a_message_is_an_unknown_outcome(reply: str | None) -> None:
    with SmtpStandIn() as standin:
        standin.replies["END"] = reply
        with pytest.raises(MalformedResponseError, match="may have accepted"):
            Smtp(f"smtp://127.0.0.1:{standin.port}", FakeClock()).send([message()], "key")


def test_an_smtp_server_that_is_down_is_unreachable() -> None:
    mailer = Smtp(f"smtp://127.0.0.1:{free_port()}", FakeClock())
    with pytest.raises(UnreachableError):
        mailer.send([message()], "key")


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_an_untrusted_certificate_is_unreachable(certificate: Path, scheme: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with SmtpStandIn(tls, implicit_tls=scheme == "smtps") as standin:
        with pytest.raises(UnreachableError, match="certificate"):
            Smtp(f"{scheme}://127.0.0.1:{standin.port}", FakeClock()).send([message()], "key")
        assert standin.received == []


@HTTP
@pytest.mark.parametrize("status", [302, 307, 400, 401, 403, 422, 429, 500, 503])
def test_a_refusal_never_contains_credentials(transport: str, status: int) -> None:
    with RefusingServer(200) as elsewhere, RefusingServer(status, {"Location": elsewhere.url}) as server:
        mailer = over_http(transport, server.url, 5)
        try:
            (result,) = mailer.send([message()], "key")
        except RollcallError as error:
            shown = f"{error} {error.__cause__!r} {error.__context__!r}"
        else:
            shown = str(result)
        assert elsewhere.requests == []
    assert shown
    assert SECRET not in f"{shown} {mailer!r}"


def test_an_smtp_refusal_never_contains_credentials() -> None:
    plain = base64.b64encode(f"\0ada\0{SECRET}".encode()).decode()
    with SmtpStandIn() as standin:
        mailer = Smtp(f"smtp://ada:{SECRET}@127.0.0.1:{standin.port}", FakeClock())
        standin.replies["AUTH"] = f"535 5.7.8 refused: ada {SECRET} {plain}"
        with pytest.raises(UnauthorisedError) as raised:
            mailer.send([message()], "key")
    shown = f"{raised.value} {raised.value.__cause__!r} {mailer!r}"
    assert SECRET not in shown
    assert plain not in shown


@HTTP
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "2.5"}, 2.5),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_carries_the_wait_of_the_answer(
    transport: str, headers: dict[str, str], seconds: float | None
) -> None:
    with RefusingServer(429, headers) as server, pytest.raises(RateLimitedError) as raised:
        over_http(transport, server.url, 5).send([message()], "key")
    assert raised.value.retry_after_seconds == seconds
