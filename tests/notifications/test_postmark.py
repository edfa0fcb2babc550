from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.errors import (
    AccountRefusedError,
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
)
from domain.notification import Accepted, Attachment, Rejected
from notifications.postmark import Postmark
from tests.notifications.examples import message, messages
from tests.standins.postmark import PostmarkStandIn, error
from tests.standins.server import Answer


@pytest.fixture
def standin() -> Iterator[PostmarkStandIn]:
    with PostmarkStandIn() as running:
        yield running


@pytest.fixture
def mailer(standin: PostmarkStandIn) -> Postmark:
    return Postmark(standin.server_token, standin.url)


def test_a_letter_arrives_whole(standin: PostmarkStandIn, mailer: Postmark) -> None:
    sent = replace(message(), attachments=(Attachment("a.pdf", "application/pdf", b"%PDF-\x00\xff"),))
    (receipt,) = mailer.send([sent], "key")

    (mail,) = standin.mails
    assert isinstance(receipt, Accepted)
    assert (mail["From"], mail["To"], mail["Subject"]) == (sent.sender, sent.to, sent.subject)
    assert (mail["TextBody"], mail["HtmlBody"]) == (sent.text, sent.html)
    headers = {each["Name"]: each["Value"] for each in mail["Headers"]}
    assert headers == sent.headers | {"X-PM-KeepID": "true"}
    (attached,) = mail["Attachments"]
    assert (attached["Name"], attached["ContentType"]) == ("a.pdf", "application/pdf")
    assert base64.b64decode(attached["Content"]) == b"%PDF-\x00\xff"


def test_an_address_that_takes_no_mail_is_refused_alone(standin: PostmarkStandIn, mailer: Postmark) -> None:
    standin.inactive.add(message().to)
    (receipt,) = mailer.send([message()], "key")
    assert isinstance(receipt, Rejected)
    assert "inactive" in receipt.reason


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(500, 0, "Internal Server Error"), UpstreamError),
        (error(503, 100, "Maintenance"), UpstreamError),
        (error(429, 0, "Rate limit exceeded"), RateLimitedError),
        (error(422, 405, "Not allowed to send."), AccountRefusedError),
        (error(422, 400, "Sender signature not found."), AccountRefusedError),
        (error(422, 401, "Sender signature not confirmed."), AccountRefusedError),
        (error(422, 412, "Account is pending."), AccountRefusedError),
        (error(422, 413, "Account may not send."), AccountRefusedError),
        (Answer(200, b"<html>One moment</html>", "text/html"), MalformedResponseError),
        (Answer(200, b"[]"), MalformedResponseError),
        (Answer(200, b"{}"), MalformedResponseError),
        (None, MalformedResponseError),
    ],
)
def test_a_failure_says_whether_to_try_again(
    standin: PostmarkStandIn, mailer: Postmark, answer: Answer | None, kind: type[RollcallError]
) -> None:
    standin.answers.append(answer)
    with pytest.raises(kind):
        mailer.send([message()], "key")


def test_a_wrong_token_is_refused_and_never_told(standin: PostmarkStandIn) -> None:
    mailer = Postmark("pm_wrong_token", standin.url)
    with pytest.raises(UnauthorisedError) as refused:
        mailer.send([message()], "key")
    assert "pm_wrong_token" not in f"{refused.value} {mailer!r}"


def test_one_letter_a_call(mailer: Postmark) -> None:
    with pytest.raises(RejectedError):
        mailer.send(messages(2), "key")


def test_a_login_sends_nothing(standin: PostmarkStandIn, mailer: Postmark) -> None:
    mailer.log_in()
    assert standin.mails == []
    with pytest.raises(UnauthorisedError):
        Postmark("pm_wrong_token", standin.url).log_in()


def test_a_letter_that_must_not_leave_is_kept_at_the_last_moment(
    standin: PostmarkStandIn, mailer: Postmark
) -> None:
    def refuse() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        mailer.send([message()], "key", refuse)
    assert standin.mails == []


def test_a_connection_that_was_never_made_took_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(UnreachableError):
        Postmark("pm_test", f"http://127.0.0.1:{port}").send([message()], "key")
