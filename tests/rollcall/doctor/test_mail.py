from __future__ import annotations

import pytest

from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import examine
from rollcall.doctor.finding import Finding, Status
from rollcall.doctor.mail import CHECKS
from rollcall.settings import parse
from tests.standins.resend import ResendStandIn
from tests.standins.smtp import SmtpStandIn
from tests.support.stack import free_port

SENDER = {"NOTIFICATION_FROM_EMAIL": "Rollcall <rollcall@example.edu>"}


def login(**settings: str) -> Finding:
    (found,) = examine(CHECKS[:1], InspectedSettings(parse(SENDER | settings)))
    return found


def by_resend(resend: ResendStandIn) -> Finding:
    return login(RESEND_API_KEY="re_test", RESEND_API_URL=resend.url)


def test_resend_is_asked_for_its_domains_and_the_sender_must_be_one_of_them() -> None:
    with ResendStandIn() as resend:
        assert by_resend(resend).status is Status.OK
        for domains, state in (({"example.edu": "pending"}, "pending"), ({}, "not a domain of this account")):
            resend.domains = domains
            found = by_resend(resend)
            assert (found.status, f"example.edu is {state}" in found.seen) == (Status.FAILURE, True)
            assert "NOTIFICATION_FROM_EMAIL" in found.hint
    assert resend.mails == []


def test_a_key_that_may_only_send_is_a_good_key() -> None:
    with ResendStandIn() as resend:
        resend.may_only_send = True
        assert by_resend(resend).status is Status.OK


def test_an_unreachable_provider_is_told_from_a_wrong_key() -> None:
    found = login(RESEND_API_KEY="re_test", RESEND_API_URL=f"http://127.0.0.1:{free_port()}")
    assert found.status is Status.FAILURE
    assert found.hint.startswith("make the provider reachable")


def test_an_smtp_server_is_logged_in_to_and_left_without_a_letter() -> None:
    with SmtpStandIn() as server:
        url = f"smtp://ada:secret-word@127.0.0.1:{server.port}"
        assert login(SMTP_URL=url).status is Status.OK
        server.replies["AUTH"] = "535 5.7.8 who are you"
        found = login(SMTP_URL=url)
    assert (found.status, found.hint) == (Status.FAILURE, "correct SMTP_URL")
    assert "535" in found.seen
    assert "secret-word" not in found.seen
    assert server.received == []


def test_the_preview_needs_nobody() -> None:
    assert login().status is Status.OK


@pytest.mark.parametrize(
    ("settings", "status"), [({}, Status.OK), ({"ENROL_URL": "https://x/{nothing}"}, Status.FAILURE)]
)
def test_a_letter_is_written_for_trial(settings: dict[str, str], status: Status) -> None:
    (found,) = examine(CHECKS[1:], InspectedSettings(parse(SENDER | settings)))
    assert found.status is status
