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
    TransientError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.notification import Accepted, Deferred, Rejected
from notifications.smtp import Smtp
from tests.notifications.examples import message
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


def test_a_message_arrives_complete(server: SmtpStandIn, mailer: Smtp) -> None:
    sent = message()
    assert mailer.send([sent], "key") == [Accepted(sent.headers["Message-ID"])]
    [mail] = server.received
    assert "<rollcall@example.edu>" in mail.sender
    assert mail.recipients == ["TO:<ada@example.edu>"]
    read = email.message_from_bytes(mail.body, policy=default)
    assert read["Subject"] == sent.subject
    assert f"List-Unsubscribe: {sent.headers['List-Unsubscribe']}\r\n".encode() in mail.body


def test_the_reply_to_an_accepted_message_is_kept(server: SmtpStandIn, mailer: Smtp) -> None:
    server.replies["END"] = "250-2.0.0 Ok:\r\n250 queued as 4F2B"
    (result,) = mailer.send([message()], "key")
    assert isinstance(result, Accepted)
    assert result.answer == "250 2.0.0 Ok: queued as 4F2B"
    assert str(result) == f"{message().headers['Message-ID']} (250 2.0.0 Ok: queued as 4F2B)"


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_a_login_is_encrypted(certificate: Path, scheme: str) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    with SmtpStandIn(server_tls(certificate), implicit_tls=scheme == "smtps") as server:
        url = f"{scheme}://{USER}127.0.0.1:{server.port}"
        Smtp(url, FakeClock(), timeout_seconds=5, tls=trusting).send([message()], "key")
        [mail] = server.received
    assert (mail.login, mail.was_encrypted) == (LOGIN, True)


def test_a_server_without_the_required_encryption_gets_no_message(server: SmtpStandIn) -> None:
    with pytest.raises(UpstreamError, match="STARTTLS"):
        Smtp(f"smtp+starttls://{USER}127.0.0.1:{server.port}", FakeClock()).send([message()], "key")
    assert server.received == []


@pytest.mark.parametrize("verb", ["RCPT", "DATA", "END"])
def test_a_permanently_refused_message_is_rejected(server: SmtpStandIn, mailer: Smtp, verb: str) -> None:
    server.replies[verb] = "550 5.1.1 no such user"
    assert mailer.send([message()], "key") == [Rejected("550 5.1.1 no such user")]


def is_deferred(mailer: Smtp) -> bool:
    """Whether what was put off is the letter; else it is the server, or the way to it."""
    try:
        (result,) = mailer.send([message()], "key")
    except TransientError:
        return False
    return result == Deferred("451 4.7.1 greylisted")


@pytest.mark.parametrize("verb", ["GREETING", "MAIL", "RCPT", "DATA", "END"])
def test_a_deferred_message_can_be_sent_later(server: SmtpStandIn, mailer: Smtp, verb: str) -> None:
    server.replies[verb] = "451 4.7.1 greylisted"
    assert is_deferred(mailer) == (verb in {"RCPT", "DATA", "END"})
    del server.replies[verb]
    assert mailer.send([message()], "key") == [Accepted(message().headers["Message-ID"])]


def test_a_temporary_login_failure_is_transient(server: SmtpStandIn) -> None:
    server.replies["AUTH"] = "454 4.7.0 temporary failure"
    with pytest.raises(UpstreamError):
        Smtp(f"smtp://{USER}127.0.0.1:{server.port}", FakeClock()).send([message()], "key")


@pytest.mark.parametrize("reply", ["530 5.7.0 authentication required", "550 5.7.1 not you"])
def test_a_refused_sender_is_a_refused_account(server: SmtpStandIn, mailer: Smtp, reply: str) -> None:
    server.replies["MAIL"] = reply
    with pytest.raises(AccountRefusedError):
        mailer.send([message()], "key")


def test_a_message_of_unknown_outcome_keeps_its_id_when_it_is_repeated(
    server: SmtpStandIn, mailer: Smtp
) -> None:
    server.replies["END"] = None
    with pytest.raises(MalformedResponseError, match="may have accepted"):
        mailer.send([message()], "key")
    del server.replies["END"]
    mailer.send([message()], "key")
    ids = {email.message_from_bytes(mail.body)["Message-ID"] for mail in server.received}
    assert (len(server.received), len(ids)) == (2, 1)


@pytest.mark.parametrize("reply", [None, "500 what?"])
def test_an_accepted_message_stays_accepted_if_quit_fails(
    server: SmtpStandIn, mailer: Smtp, reply: str | None
) -> None:
    server.replies["QUIT"] = reply
    assert mailer.send([message()], "key") == [Accepted(message().headers["Message-ID"])]


def test_a_silent_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mailer = Smtp(f"smtp://127.0.0.1:{silent.getsockname()[1]}", FakeClock(), timeout_seconds=0.1)
        with pytest.raises((UnreachableError, UpstreamTimeoutError)):
            mailer.send([message()], "key")


def test_an_address_outside_ascii_is_rejected(mailer: Smtp) -> None:
    [result] = mailer.send([replace(message(), to="zoë@example.edu")], "key")
    assert isinstance(result, Rejected)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:25", "https://example.edu", "smtp://", "smtp://host:port", "smtp://host/path"]
)
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="smtps://"):
        Smtp(url, FakeClock())


def test_the_password_is_not_in_the_repr() -> None:
    assert "p%3A" not in repr(Smtp(f"smtps://{USER}mail.example.edu", FakeClock()))


def test_a_login_outside_ascii_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="ASCII"):
        Smtp("smtps://ada:p%C3%A4ss@mail.example.edu", FakeClock())


@pytest.mark.parametrize("verb", ["GREETING", "MAIL", "RCPT"])
def test_a_failure_before_the_message_is_no_hand_over(server: SmtpStandIn, mailer: Smtp, verb: str) -> None:
    server.replies[verb] = None
    handed_over = list[bool]()
    with pytest.raises(TransientError):
        mailer.send([message()], "key", lambda: handed_over.append(True))
    assert handed_over == []


def test_the_longest_send_covers_every_reply(mailer: Smtp) -> None:
    assert mailer.longest_send_seconds == 14 * mailer.timeout_seconds
