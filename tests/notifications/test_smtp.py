from __future__ import annotations

import email
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from email.policy import default
from pathlib import Path

import pytest

from domain.errors import (
    AccountRefusedError,
    InvalidInputError,
    MalformedResponseError,
    RejectedError,
    TransientError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.notification import Accepted, Deferred, Rejected
from notifications.smtp import Smtp
from tests.notifications.examples import message, messages
from tests.standins.smtp import SmtpStandIn
from tests.support.clock import FakeClock

LOGIN = ("ada@example.edu", "p:a/s@s")
USER = "ada%40example.edu:p%3Aa%2Fs%40s@"


@pytest.fixture
def server() -> Iterator[SmtpStandIn]:
    with SmtpStandIn() as running:
        yield running


@pytest.fixture
def mailer(server: SmtpStandIn) -> Smtp:
    return Smtp(f"smtp://127.0.0.1:{server.port}", FakeClock(), timeout_seconds=5)


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_letter_arrives_whole(server: SmtpStandIn, mailer: Smtp) -> None:
    sent = message()
    assert mailer.send([sent], "key") == [Accepted(sent.headers["Message-ID"])]
    [mail] = server.received
    assert "<rollcall@example.edu>" in mail.sender
    assert mail.recipients == ["TO:<ada@example.edu>"]
    read = email.message_from_bytes(mail.body, policy=default)
    assert read["Subject"] == sent.subject
    assert f"List-Unsubscribe: {sent.headers['List-Unsubscribe']}\r\n".encode() in mail.body


def test_what_the_server_says_of_a_letter_is_told(server: SmtpStandIn, mailer: Smtp) -> None:
    server.replies["END"] = "250-2.0.0 Ok:\r\n250 queued as 4F2B"
    (receipt,) = mailer.send([message()], "key")
    assert isinstance(receipt, Accepted)
    assert receipt.answer == "250 2.0.0 Ok: queued as 4F2B"
    assert str(receipt) == f"{message().headers['Message-ID']} (250 2.0.0 Ok: queued as 4F2B)"


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_a_login_travels_encrypted(certificate: Path, scheme: str) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    with SmtpStandIn(server_tls(certificate), implicit_tls=scheme == "smtps") as server:
        url = f"{scheme}://{USER}127.0.0.1:{server.port}"
        Smtp(url, FakeClock(), timeout_seconds=5, tls=trusting).send([message()], "key")
        [mail] = server.received
    assert (mail.login, mail.was_encrypted) == (LOGIN, True)


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path, scheme: str) -> None:
    with SmtpStandIn(server_tls(certificate), implicit_tls=scheme == "smtps") as server:
        url = f"{scheme}://{USER}127.0.0.1:{server.port}"
        with pytest.raises(UnreachableError, match="certificate"):
            Smtp(url, FakeClock(), timeout_seconds=5).send([message()], "key")
        assert server.received == []


def test_a_server_without_encryption_gets_no_letter_when_it_was_asked_for(server: SmtpStandIn) -> None:
    with pytest.raises(UpstreamError, match="STARTTLS"):
        Smtp(f"smtp+starttls://{USER}127.0.0.1:{server.port}", FakeClock()).send([message()], "key")
    assert server.received == []


@pytest.mark.parametrize("verb", ["RCPT", "DATA", "END"])
def test_a_letter_refused_for_good_is_refused_alone(server: SmtpStandIn, mailer: Smtp, verb: str) -> None:
    server.replies[verb] = "550 5.1.1 no such user"
    assert mailer.send([message()], "key") == [Rejected("550 5.1.1 no such user")]


def taken(mailer: Smtp) -> bool:
    """Whether what was put off is the letter; else it is the server, or the way to it."""
    try:
        (receipt,) = mailer.send([message()], "key")
    except TransientError:
        return False
    return receipt == Deferred("451 4.7.1 greylisted")


@pytest.mark.parametrize("verb", ["GREETING", "MAIL", "RCPT", "DATA", "END"])
def test_a_letter_put_off_is_tried_again(server: SmtpStandIn, mailer: Smtp, verb: str) -> None:
    server.replies[verb] = "451 4.7.1 greylisted"
    assert taken(mailer) == (verb in {"RCPT", "DATA", "END"})
    del server.replies[verb]
    assert mailer.send([message()], "key") == [Accepted(message().headers["Message-ID"])]


def test_a_wrong_password_is_no_reason_to_try_again(server: SmtpStandIn) -> None:
    server.replies["AUTH"] = "535 5.7.8 bad credentials"
    with pytest.raises(UnauthorisedError, match="535"):
        Smtp(f"smtp://{USER}127.0.0.1:{server.port}", FakeClock()).send([message()], "key")


def test_a_server_too_busy_for_a_login_is_tried_again(server: SmtpStandIn) -> None:
    server.replies["AUTH"] = "454 4.7.0 temporary failure"
    with pytest.raises(UpstreamError):
        Smtp(f"smtp://{USER}127.0.0.1:{server.port}", FakeClock()).send([message()], "key")


@pytest.mark.parametrize("reply", ["530 5.7.0 authentication required", "550 5.7.1 not you"])
def test_a_server_that_refuses_the_sender_asks_for_other_settings(
    server: SmtpStandIn, mailer: Smtp, reply: str
) -> None:
    server.replies["MAIL"] = reply
    with pytest.raises(AccountRefusedError):
        mailer.send([message()], "key")


def test_a_connection_lost_after_the_letter_leaves_its_fate_unknown(
    server: SmtpStandIn, mailer: Smtp
) -> None:
    server.replies["END"] = None
    with pytest.raises(MalformedResponseError, match="may have taken"):
        mailer.send([message()], "key")
    del server.replies["END"]
    mailer.send([message()], "key")
    ids = {email.message_from_bytes(mail.body)["Message-ID"] for mail in server.received}
    assert (len(server.received), len(ids)) == (2, 1)


@pytest.mark.parametrize("goodbye", [None, "500 what?"])
def test_an_accepted_letter_stays_accepted_however_the_goodbye_goes(
    server: SmtpStandIn, mailer: Smtp, goodbye: str | None
) -> None:
    server.replies["QUIT"] = goodbye
    assert mailer.send([message()], "key") == [Accepted(message().headers["Message-ID"])]


def test_a_silent_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mailer = Smtp(f"smtp://127.0.0.1:{silent.getsockname()[1]}", FakeClock(), timeout_seconds=0.1)
        with pytest.raises((UnreachableError, UpstreamTimeoutError)):
            mailer.send([message()], "key")


def test_several_letters_at_once_are_rejected(mailer: Smtp) -> None:
    with pytest.raises(RejectedError):
        mailer.send(messages(2), "key")


def test_an_address_outside_ascii_is_refused_alone(mailer: Smtp) -> None:
    [receipt] = mailer.send([replace(message(), to="zoë@example.edu")], "key")
    assert isinstance(receipt, Rejected)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:25", "https://example.edu", "smtp://", "smtp://host:port", "smtp://host/path"]
)
def test_an_address_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(InvalidInputError, match="smtps://"):
        Smtp(url, FakeClock())


def test_the_password_does_not_show_in_logs() -> None:
    assert "p%3A" not in repr(Smtp(f"smtps://{USER}mail.example.edu", FakeClock()))


def test_a_login_outside_ascii_stops_the_start() -> None:
    with pytest.raises(InvalidInputError, match="ASCII"):
        Smtp("smtps://ada:p%C3%A4ss@mail.example.edu", FakeClock())


class AskedError(Exception):
    pass


def test_a_letter_that_must_not_leave_is_kept_at_the_last_moment(server: SmtpStandIn, mailer: Smtp) -> None:
    def refuse() -> None:
        raise AskedError

    with pytest.raises(AskedError):
        mailer.send([message()], "key", refuse)
    assert server.received == []


@pytest.mark.parametrize("verb", ["GREETING", "MAIL", "RCPT"])
def test_a_failure_before_the_letter_is_no_hand_over(server: SmtpStandIn, mailer: Smtp, verb: str) -> None:
    server.replies[verb] = None
    asked = list[bool]()
    with pytest.raises(TransientError):
        mailer.send([message()], "key", lambda: asked.append(True))
    assert asked == []


def test_the_bound_of_a_send_covers_every_reply(mailer: Smtp) -> None:
    assert mailer.longest_send_seconds == 14 * mailer.timeout_seconds
