from __future__ import annotations

from typing import Any

import pytest

from observability.recorders import DELIVERIES
from tests.ingress.site import API, Site, Stage, fields_of
from tests.ingress.site import site as on
from tests.support.catalog import Row
from tests.support.harness import Harness

BOUNCE: dict[str, Any] = {
    "type": "email.bounced",
    "created_at": "2026-01-15T09:00:00.000Z",
    "data": {
        "email_id": "letter-1",
        "to": ["Ada <Ada@example.edu>"],
        "bounce": {"type": "Permanent", "message": "no such\u0000 user \ud83c"},
    },
}


def _event(kind: str, **data: Any) -> dict[str, Any]:
    return BOUNCE | {"type": kind, "data": BOUNCE["data"] | data}


def test_a_bounce_suppresses_the_address_once(site: Site) -> None:
    first, replay = site.event("msg_1", BOUNCE), site.event("msg_1", BOUNCE)

    assert (first.status_code, first.json()) == (200, {"recorded": True})
    assert (replay.status_code, replay.json()) == (200, {"recorded": False})
    assert site.rollcall.services.store.deliveries.suppression("ada@example.edu") == "no such user"
    assert fields_of(site.add()) == {"email"}


def test_a_complaint_suppresses_and_a_full_mailbox_does_not(site: Site) -> None:
    site.event("msg_1", _event("email.complained", to=["bob@example.edu"]))
    site.event("msg_2", _event("email.bounced", bounce={"type": "Transient", "message": "mailbox full"}))

    deliveries = site.rollcall.services.store.deliveries
    assert deliveries.suppression("bob@example.edu") == "complained"
    assert deliveries.suppression("ada@example.edu") is None


def test_mail_that_is_accepted_and_not_sent_for_the_accounts_sake_pauses_mail(site: Site) -> None:
    site.event("msg_1", _event("email.failed", failed={"reason": "reached_daily_quota"}))
    pause = site.rollcall.services.store.pauses.find("mail")
    assert pause is not None
    assert (pause.by, "reached_daily_quota" in pause.reason) == ("rollcall", True)


def test_an_address_that_the_provider_suppresses_is_not_mailed_again(site: Site) -> None:
    site.event("msg_1", _event("email.suppressed", suppressed={"message": "bounced before"}))
    assert site.rollcall.services.store.deliveries.suppression("ada@example.edu") == "bounced before"
    assert fields_of(site.add()) == {"email"}


def test_a_delivery_records_its_notification(site: Site) -> None:
    site.add(kinds=["seat_available"])
    for seats in (0, 1):
        site.rollcall.catalog.rows[site.rollcall.key("12431")] = Row(open_seats=seats)
        site.rollcall.run()
        site.rollcall.clock.advance(60)
    (sent,) = site.client.get("/notifications", headers=API).json()["items"]

    site.event("msg_1", _event("email.delivered", email_id=sent["provider_id"]))

    (shown,) = site.client.get("/notifications", headers=API).json()["items"]
    assert (sent["state"], shown["state"]) == ("sent", "delivered")
    assert shown["completed_at"] is not None


def test_events_of_other_kinds_are_accepted(site: Site) -> None:
    event = {"type": "contact.created", "created_at": "2026-01-15T09:00:00Z", "data": {}}

    assert site.event("msg_1", event).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"svix-signature": "v1,AAAA"},
        {"svix-signature": ""},
        {"svix-id": "another"},
        {"svix-timestamp": "1"},
        {"svix-timestamp": "9" * 400},
    ],
)
def test_a_forged_event_is_refused(site: Site, headers: dict[str, str]) -> None:
    answer = site.event("msg_1", BOUNCE, **headers)

    assert (answer.status_code, fields_of(answer)) == (401, set())
    assert (site.count("mail_events"), site.count("suppressions")) == (0, 0)


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (b"not json", {"body"}),
        ({"type": "email.bounced"}, {"created_at"}),
        (BOUNCE | {"data": None}, {"data"}),
        (BOUNCE | {"data": {"email_id": "1"}}, {"data.to"}),
    ],
)
def test_a_signed_event_of_another_shape_is_refused_by_field(
    site: Site, event: dict[str, Any] | bytes, fields: set[str]
) -> None:
    answer = site.event("msg_1", event)

    assert (answer.status_code, fields_of(answer)) == (422, fields)
    assert site.count("mail_events") == 0


def test_without_a_secret_the_surface_says_so(stage: Stage, rollcall: Harness) -> None:
    with on(stage, rollcall, events=None) as site:
        answer = site.event("msg_1", BOUNCE)

    assert answer.status_code == 404
    assert "RESEND_WEBHOOK_SECRET is not set" in answer.json()["detail"]


def test_a_large_event_is_refused(site: Site) -> None:
    assert site.event("msg_1", b"x" * 70_000).status_code == 413


def test_what_is_reported_counts_once_and_what_says_nothing_new_not_at_all(site: Site) -> None:
    for event_id in ("msg_1", "msg_1", "msg_2"):
        site.event(event_id, BOUNCE)
    site.event("msg_3", _event("email.sent", to=["bob@example.edu"]))
    counts = site.rollcall.services.recorder.take()
    assert counts == {DELIVERIES.key("bounced"): 2}
