from __future__ import annotations

import pytest

from domain.notification import NotificationState
from tests.ingress.site import API, Site, fields_of
from tests.support.catalog import Row


def _open_seats(site: Site, *numbers: str) -> None:
    for seats in (0, 3):
        for number in numbers:
            site.rollcall.catalog.rows[site.rollcall.key(number)] = Row(open_seats=seats)
        site.rollcall.run()
        site.rollcall.clock.advance(60)


def test_a_notification_is_shown_from_detected_to_sent(site: Site) -> None:
    watch_id = site.add(kinds=["seat_available"]).json()["id"]
    _open_seats(site, "12431")

    page = site.client.get("/notifications", headers=API).json()

    (shown,) = page["items"]
    assert page["next_cursor"] is None
    provider_id = shown.pop("provider_id")
    assert provider_id
    assert shown == {
        "id": shown["id"],
        "watch_id": watch_id,
        "kind": "seat_available",
        "episode": 1,
        "source": "scraper",
        "term": "2261",
        "section": "12431",
        "email": "ada@example.edu",
        "state": "sent",
        "reason": None,
        "observed_at": "2026-01-15T09:01:00.000Z",
        "created_at": "2026-01-15T09:01:00.000Z",
        "due_at": "2026-01-15T09:01:00.000Z",
        "sent_at": "2026-01-15T09:01:00.000Z",
        "completed_at": shown["completed_at"],
        "facts": {
            "open_seats": 3,
            "capacity": 30,
            "instructor": "",
            "course": "CSE 100",
            "title": "Advanced Data Structures",
            "location": "WLH 2001",
            "meeting_times": "MWF 10:00-10:50",
        },
    }


def test_notifications_come_in_pages_and_by_filter(site: Site) -> None:
    ids = [site.add(section=number).json()["id"] for number in ("1", "2", "3")]
    _open_seats(site, "1", "2", "3")
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        query = {"cursor": cursor, "limit": "2", "state": "sent", "watch_id": ""}
        page = site.client.get("/notifications", headers=API, params=query).json()
        seen += [shown["id"] for shown in page["items"]]
        cursor = page["next_cursor"]

    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 3
    mine = site.client.get("/notifications", headers=API, params={"watch_id": ids[1]}).json()["items"]
    assert [shown["section"] for shown in mine] == ["2"]


def test_notifications_of_one_address_are_listed(site: Site) -> None:
    everybody = ["ada@example.edu", "bob@example.edu"]
    for email in everybody:
        site.add(email=email)
    _open_seats(site, "12431")
    for email, found in (("Bob@Example.edu", everybody[1:]), ("eve@example.edu", []), ("", everybody)):
        items = site.client.get("/notifications", headers=API, params={"email": email}).json()["items"]
        assert sorted(each["email"] for each in items) == found
    bad = site.client.get("/notifications?email=nobody", headers=API)
    assert (bad.status_code, fields_of(bad)) == (422, {"email"})


@pytest.mark.parametrize("state", list(NotificationState))
def test_each_state_can_be_asked_for(site: Site, state: NotificationState) -> None:
    answer = site.client.get("/notifications", headers=API, params={"state": state})

    assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("watch_id=x", {"watch_id"}),
        ("watch_id=99999999999999999999", {"watch_id"}),
        ("watch_id=0&state=lost&cursor=?&limit=-1", {"watch_id", "state", "cursor", "limit"}),
        ("state=sent&state=dead", {"state"}),
        ("token=x", {"token"}),
    ],
)
def test_a_bad_filter_is_named(site: Site, query: str, fields: set[str]) -> None:
    answer = site.client.get(f"/notifications?{query}", headers=API)

    assert (answer.status_code, fields_of(answer)) == (422, fields)
