from __future__ import annotations

from datetime import UTC, datetime

from domain.check import Result, Severity
from domain.plugin import ProbeContext
from notifications.resend import PLUGIN
from rollcall.settings import parse
from tests.standins.resend import ResendStandIn
from tests.support.clock import FakeClock
from tests.support.stack import free_port

SENDER = "Rollcall <rollcall@example.edu>"
CONTEXT = ProbeContext(FakeClock(datetime(2026, 1, 15, 9, 0, tzinfo=UTC)), SENDER)


def probed(url: str, key: str = "re_test") -> Result:
    settings = {"RESEND_API_KEY": key, "RESEND_API_URL": url, "NOTIFICATION_FROM_EMAIL": SENDER}
    return PLUGIN.examine(parse(settings), CONTEXT)


def test_the_sender_must_be_a_verified_domain_of_the_account() -> None:
    with ResendStandIn() as server:
        assert probed(server.url).failure is None
        for domains, state in (({"example.edu": "pending"}, "pending"), ({}, "not a domain of this account")):
            server.domains = domains
            failure = probed(server.url).failure
            assert failure is not None
            assert f"example.edu is {state}" in failure.subject
            assert "NOTIFICATION_FROM_EMAIL" in failure.command
    assert server.mails == []


def test_a_key_that_may_only_send_is_valid() -> None:
    with ResendStandIn() as server:
        server.may_only_send = True
        assert probed(server.url).failure is None


def test_a_refused_key_is_distinguished_from_an_unreachable_provider() -> None:
    with ResendStandIn(api_key="re_right") as server:
        refused = probed(server.url, "re_wrong")
    unreachable = probed(f"http://127.0.0.1:{free_port()}")
    assert refused.failure is not None
    assert (refused.severity, refused.failure.command) == (Severity.UNHEALTHY, "correct RESEND_API_KEY")
    assert unreachable.failure is not None
    assert unreachable.failure.command.startswith("make the provider reachable")
