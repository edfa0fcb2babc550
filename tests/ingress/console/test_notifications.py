from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape

import httpx
import pytest

from domain.errors import RejectedError, UpstreamError
from domain.notification import DeliveryResult, OutboundMessage, Rejected
from domain.ports import unconditionally
from tests.ingress.console.visitor import said, visitor, words
from tests.ingress.site import Site, Stage
from tests.ingress.site import site as serving
from tests.operations.journal import entries
from tests.support.catalog import Row
from tests.support.harness import Harness


class Refusing:
    """A transport that takes no letter."""

    name = "refusing"
    batch_size = 1
    is_idempotent = True
    longest_send_seconds = 1.0

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        return [Rejected("no such domain") for _ in messages]


@pytest.fixture
def notified(site: Site) -> Site:
    """Ada has been notified of an opening."""
    site.rollcall.watch()
    for open_seats in (0, 2):
        site.rollcall.catalog.rows[site.rollcall.key()] = Row(open_seats)
        site.rollcall.run()
        site.rollcall.clock.advance(60)
    return site


def suppress(site: Site, email: str) -> None:
    site.rollcall.services.store.deliveries.record(
        email, "bounced", provider_id=None, address=email, reason="<no> such user",
        now=site.rollcall.clock.now(),
    )  # fmt: skip


@pytest.mark.usefixtures("notified")
def test_notifications_are_listed_by_their_state(guest: httpx.Client) -> None:
    assert "1 ada@example.edu seat available scraper/2261/12430 CSE 100 sent" in words(
        guest.get("/console/mail")
    )
    assert "No notification matches." in words(guest.get("/console/mail?state=dead"))


def test_a_message_is_shown_as_it_left(notified: Site, guest: httpx.Client) -> None:
    (message,) = notified.rollcall.mailer.sent
    answer = guest.get("/console/mail/1")
    assert message.subject in words(answer)
    assert str(escape(message.headers["Message-ID"])) in answer.text
    assert (
        '<iframe class="letter" title="HTML of the message" sandbox src="/console/mail/1/html">'
        in answer.text
    )
    assert "frame-src 'self'" in answer.headers["content-security-policy"]


def test_its_html_can_do_nothing(notified: Site, guest: httpx.Client) -> None:
    answer = guest.get("/console/mail/1/html")
    assert answer.text == notified.rollcall.mailer.sent[0].html
    policy = answer.headers["content-security-policy"]
    assert {"default-src 'none'", "sandbox", "frame-ancestors 'self'"} <= set(policy.split("; "))
    assert "script-src" not in policy
    assert answer.headers.get("x-frame-options", "SAMEORIGIN") == "SAMEORIGIN"


@pytest.mark.parametrize("path", ["7", "7/html", "x"])
def test_a_message_that_does_not_exist_is_not_found(guest: httpx.Client, path: str) -> None:
    assert guest.get(f"/console/mail/{path}").status_code == 404


def test_a_test_is_sent_to_whom_is_asked_for(site: Site, guest: httpx.Client) -> None:
    asked = guest.post("/console/do/mail-test", data={"back": "/console/mail"})
    assert 'name="to"' in asked.text
    assert site.rollcall.mailer.sent == []
    wanted = {"to": "me@example.edu", "kind": "section_retired", "confirm": "yes"}
    assert guest.post("/console/do/mail-test", data=wanted).status_code == 303
    assert said(guest).startswith("post accepted the message to me@example.edu as ")
    (message,) = site.rollcall.mailer.sent
    assert (message.to, message.subject[:5]) == ("me@example.edu", "Test:")
    assert entries(site.rollcall)[-1].action == "mail.test"


def test_what_keeps_a_test_from_leaving_is_said(site: Site, guest: httpx.Client) -> None:
    wanted = {"to": "me@example.edu", "confirm": "yes"}
    site.rollcall.mailer.errors.append(UpstreamError("HTTP 500"))
    assert guest.post("/console/do/mail-test", data=wanted).status_code == 503
    assert guest.post("/console/do/mail-test", data=wanted | {"to": "nobody"}).status_code == 422


def test_a_refusal_is_said(stage: Stage, rollcall: Harness) -> None:
    services = replace(rollcall.services, mailer=Refusing())
    with (
        serving(stage, rollcall, admin=replace(rollcall.admin, services=services)) as found,
        visitor(found) as client,
    ):
        wanted = {"to": "me@example.edu", "confirm": "yes"}
        refused = client.post("/console/do/mail-test", data=wanted)
    assert refused.status_code == 409
    assert "refusing rejected the message: no such domain" in words(refused)


def test_suppressed_addresses_are_listed_and_lifted(site: Site, guest: httpx.Client) -> None:
    suppress(site, "eve@example.edu")
    listed = guest.get("/console/mail/suppressions")
    assert "eve@example.edu <no> such user" in words(listed)
    wanted = {"email": "eve@example.edu"}
    assert "It is suppressed: <no> such user." in words(guest.post("/console/do/mail-lift", data=wanted))
    guest.post("/console/do/mail-lift", data=wanted | {"confirm": "yes"})
    assert said(guest) == "Mail to eve@example.edu is allowed again."
    assert "No address is suppressed." in words(guest.get("/console/mail/suppressions"))
    nothing = guest.post("/console/do/mail-lift", data=wanted)
    assert 'name="confirm"' not in nothing.text


def test_dead_notifications_are_retried(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    row = site.rollcall.catalog.rows[site.rollcall.key()] = Row(open_seats=0)
    site.rollcall.run()
    row.open_seats = 1
    site.rollcall.clock.advance(60)
    site.rollcall.mailer.errors.append(RejectedError("no such domain"))
    site.rollcall.run()
    assert "Retry dead" in guest.get("/console/mail?state=dead").text
    wanted = {"cause": "no such", "older_than": ""}
    asked = words(guest.post("/console/do/mail-retry", data=wanted))
    assert "1 dead notification matches the filter." in asked
    guest.post("/console/do/mail-retry", data=wanted | {"confirm": "yes"})
    assert said(guest) == "Requeued 1 dead notification."


def test_more_suppressed_addresses_are_a_page_away(site: Site, guest: httpx.Client) -> None:
    for number in range(51):
        suppress(site, f"person{number:02}@example.edu")
    first = guest.get("/console/mail/suppressions")
    assert "person50@" not in first.text
    assert "person50@" in guest.get("/console/mail/suppressions?after=person49%40example.edu").text
    assert "after=person49%40example.edu" in first.text
