from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.errors import (
    AccountRefusedError,
    MalformedResponseError,
    RollcallError,
    UnauthorisedError,
)
from domain.notification import Accepted, Attachment, Rejected
from notifications.postmark import Postmark
from tests.notifications.examples import message
from tests.standins.postmark import PostmarkStandIn, error
from tests.standins.server import Answer


@pytest.fixture
def standin() -> Iterator[PostmarkStandIn]:
    with PostmarkStandIn() as running:
        yield running


@pytest.fixture
def mailer(standin: PostmarkStandIn) -> Postmark:
    return Postmark(standin.server_token, standin.url)


def test_a_message_arrives_complete(standin: PostmarkStandIn, mailer: Postmark) -> None:
    sent = replace(message(), attachments=(Attachment("a.pdf", "application/pdf", b"%PDF-\x00\xff"),))
    (result,) = mailer.send([sent], "key")

    (mail,) = standin.mails
    assert isinstance(result, Accepted)
    assert (mail["From"], mail["To"], mail["Subject"]) == (sent.sender, sent.to, sent.subject)
    assert (mail["TextBody"], mail["HtmlBody"]) == (sent.text, sent.html)
    headers = {each["Name"]: each["Value"] for each in mail["Headers"]}
    assert headers == sent.headers | {"X-PM-KeepID": "true"}
    (attached,) = mail["Attachments"]
    assert (attached["Name"], attached["ContentType"]) == ("a.pdf", "application/pdf")
    assert base64.b64decode(attached["Content"]) == b"%PDF-\x00\xff"


def test_an_inactive_address_rejects_its_message(standin: PostmarkStandIn, mailer: Postmark) -> None:
    standin.inactive.add(message().to)
    (result,) = mailer.send([message()], "key")
    assert isinstance(result, Rejected)
    assert "inactive" in result.reason


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(422, 400, "Sender signature not found."), AccountRefusedError),
        (error(422, 412, "Account is pending."), AccountRefusedError),
        (Answer(200, b"[]"), MalformedResponseError),
        (Answer(200, b"{}"), MalformedResponseError),
    ],
)
def test_a_refusal_has_a_type(
    standin: PostmarkStandIn, mailer: Postmark, answer: Answer | None, kind: type[RollcallError]
) -> None:
    standin.answers.append(answer)
    with pytest.raises(kind):
        mailer.send([message()], "key")


def test_logging_in_sends_nothing(standin: PostmarkStandIn, mailer: Postmark) -> None:
    mailer.log_in()
    assert standin.mails == []
    with pytest.raises(UnauthorisedError):
        Postmark("pm_wrong_token", standin.url).log_in()
