"""What every transport makes of the same events, each in its own wire format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from domain.errors import RollcallError
from domain.notification import Accepted, Deferred, Rejected
from domain.ports import Mailer
from domain.retry import Subject, subject_of
from notifications.postmark import Postmark
from notifications.preview import Preview
from notifications.resend import Resend
from notifications.smtp import Smtp
from tests.notifications.examples import message
from tests.standins.postmark import PostmarkStandIn, error
from tests.standins.resend import ResendStandIn
from tests.standins.server import Answer
from tests.standins.smtp import SmtpStandIn
from tests.support.clock import FakeClock


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


@contextmanager
def resend(event: Event) -> Iterator[Mailer]:
    with ResendStandIn() as standin:
        standin.fault(RESEND[event])
        yield Resend("re_test", FakeClock(), standin.url)


@contextmanager
def postmark(event: Event) -> Iterator[Mailer]:
    with PostmarkStandIn() as standin:
        standin.answers.append(POSTMARK[event])
        yield Postmark("pm_test", standin.url)


@contextmanager
def smtp(event: Event) -> Iterator[Mailer]:
    with SmtpStandIn() as standin:
        verb, standin.replies[verb] = SMTP[event]
        yield Smtp(f"smtp://ada:pw@127.0.0.1:{standin.port}", FakeClock(), timeout_seconds=5)


@contextmanager
def preview(event: Event) -> Iterator[Mailer]:
    with TemporaryDirectory() as name:
        folder = Path(name) / "outbox"
        if event is Event.BROKEN:
            folder.write_text("a file in the place of the folder")
        yield Preview(folder, FakeClock())


@dataclass(frozen=True, slots=True)
class Case:
    """One transport and one event that it can meet."""

    transport: Callable[[Event], AbstractContextManager[Mailer]]
    event: Event

    def __str__(self) -> str:
        return f"{self.transport.__name__}-{self.event}"


CASES = [
    *(Case(resend, event) for event in RESEND),
    *(Case(postmark, event) for event in POSTMARK),
    *(Case(smtp, event) for event in SMTP),
    *(Case(preview, event) for event in (Event.ACCEPTED, Event.BROKEN)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_transport_says_whose_trouble_it_is(case: Case) -> None:
    with case.transport(case.event) as mailer:
        try:
            (receipt,) = mailer.send([message()], "key")
        except RollcallError as failure:
            subject = subject_of(failure)
            found: object = Rejected if subject is Subject.ITEM else subject  # of one letter it is the same
        else:
            found = type(receipt)
    assert found == EXPECTED[case.event]


def test_every_event_is_met_by_a_transport() -> None:
    assert {case.event for case in CASES} == set(Event)
