from __future__ import annotations

from datetime import UTC, datetime

from domain.check import Result
from domain.plugin import ProbeContext
from notifications.smtp import PLUGIN
from rollcall.settings import parse
from tests.standins.smtp import SmtpStandIn
from tests.support.clock import FakeClock

SENDER = "Rollcall <rollcall@example.edu>"


def probed(url: str) -> Result:
    context = ProbeContext(FakeClock(datetime(2026, 1, 15, 9, 0, tzinfo=UTC)), SENDER)
    return PLUGIN.examine(parse({"SMTP_URL": url, "NOTIFICATION_FROM_EMAIL": SENDER}), context)


def test_the_login_to_a_mail_server_sends_nothing() -> None:
    with SmtpStandIn() as server:
        url = f"smtp://ada:secret-word@127.0.0.1:{server.port}"
        assert probed(url).failure is None
        server.replies["AUTH"] = "535 5.7.8 who are you"
        failure = probed(url).failure
    assert failure is not None
    assert failure.command == "correct SMTP_URL"
    assert "535" in failure.subject
    assert "secret-word" not in failure.subject
    assert server.received == []
