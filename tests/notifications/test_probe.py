from __future__ import annotations

from datetime import UTC, datetime

from domain.check import Result, Severity
from notifications import probe
from notifications.messages import Renderer
from notifications.unsubscribe_links import UnsubscribeLinks
from rollcall.settings import parse
from tests.standins.resend import ResendStandIn
from tests.standins.smtp import SmtpStandIn
from tests.support.clock import FakeClock
from tests.support.stack import free_port

SENDER = "Rollcall <rollcall@example.edu>"
NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


def log_in(**values: str) -> Result:
    settings = parse({"NOTIFICATION_FROM_EMAIL": SENDER} | values)
    return probe.probe_login(settings.transport, settings, SENDER, FakeClock(NOW))


def resend(server: ResendStandIn, key: str = "re_test") -> Result:
    return log_in(RESEND_API_KEY=key, RESEND_API_URL=server.url)


def test_the_sender_must_be_a_verified_domain_of_the_account() -> None:
    with ResendStandIn() as server:
        assert resend(server).failure is None
        for domains, state in (({"example.edu": "pending"}, "pending"), ({}, "not a domain of this account")):
            server.domains = domains
            failure = resend(server).failure
            assert failure is not None
            assert f"example.edu is {state}" in failure.subject
            assert "NOTIFICATION_FROM_EMAIL" in failure.command
    assert server.mails == []


def test_a_key_that_may_only_send_is_valid() -> None:
    with ResendStandIn() as server:
        server.may_only_send = True
        assert resend(server).failure is None


def test_a_refused_key_is_distinguished_from_an_unreachable_provider() -> None:
    with ResendStandIn(api_key="re_right") as server:
        refused = resend(server, "re_wrong")
    unreachable = log_in(RESEND_API_KEY="re_test", RESEND_API_URL=f"http://127.0.0.1:{free_port()}")
    assert refused.failure is not None
    assert (refused.severity, refused.failure.command) == (Severity.UNHEALTHY, "correct RESEND_API_KEY")
    assert unreachable.failure is not None
    assert unreachable.failure.command.startswith("make the provider reachable")


def test_the_login_to_a_mail_server_sends_nothing() -> None:
    with SmtpStandIn() as server:
        url = f"smtp://ada:secret-word@127.0.0.1:{server.port}"
        assert log_in(SMTP_URL=url).failure is None
        server.replies["AUTH"] = "535 5.7.8 who are you"
        failure = log_in(SMTP_URL=url).failure
    assert failure is not None
    assert failure.command == "correct SMTP_URL"
    assert "535" in failure.subject
    assert "secret-word" not in failure.subject
    assert server.received == []


def test_a_message_is_rendered_on_trial() -> None:
    render = Renderer(
        SENDER, UnsubscribeLinks("https://example.edu", "a secret for this test"), None, UTC
    ).render
    assert probe.probe_rendering(render, NOW).note.endswith("can be rendered")
