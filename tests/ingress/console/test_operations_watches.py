"""What is done to watches and sections from their pages."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import update

from domain.errors import UpstreamError
from operations.context import Surface
from operations.registry import OPERATIONS
from store.schema import sections
from tests.ingress.console.visitor import said, stranger, words
from tests.ingress.site import Site
from tests.operations.journal import recorded
from tests.support.catalog import Row

SECTION = {"source": "scraper", "term": "2261", "section": "12430"}
ADA = {"email": "ada@example.edu"} | SECTION
YES = {"confirm": "yes"}
ACTIONS = [each.console_path for each in OPERATIONS if Surface.CONSOLE in each.surfaces]


def test_a_section_is_checked_and_the_answer_is_said(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    site.rollcall.catalog.rows[site.rollcall.key()] = Row(3)
    asked = guest.post("/console/do/section-check", data=SECTION)
    assert "Check scraper/2261/12430 now?" in words(asked)
    assert site.rollcall.catalog.calls == []
    guest.post("/console/do/section-check", data=SECTION | YES)
    assert said(guest) == "scraper/2261/12430: 3 of 30 seats open."
    assert recorded(site.rollcall)[-1][1:] == ("section.check", "section/scraper/2261/12430", 1)


def test_what_keeps_a_catalog_from_answering_is_said(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    site.rollcall.catalog.errors[site.rollcall.key()] = UpstreamError("HTTP 502 from the catalog")
    answer = guest.post("/console/do/section-check", data=SECTION | YES)
    assert answer.status_code == 503
    assert recorded(site.rollcall)[-1][1] == "session.begin"


def test_a_watch_is_added_with_its_preferences(site: Site, guest: httpx.Client) -> None:
    wishes = ADA | {"kinds": "seat_available", "min_seats": "2"}
    asked = words(guest.post("/console/do/watch-add", data=wishes))
    assert (
        "ada@example.edu gets mail about its changes. The section is not checked yet; the next check" in asked
    )
    assert site.count("watches") == 0
    guest.post("/console/do/watch-add", data=wishes | YES)
    assert (
        said(guest) == "Added watch 1. Unknown section: its catalog does not list it;"
        " the next check is at 15 Jan 2026, 10:00 UTC."
    )
    stored = site.rollcall.services.store.watches.get(1)
    assert stored is not None
    assert (stored.watch.kinds, stored.watch.min_seats) == (("seat_available",), 2)
    assert recorded(site.rollcall)[-1][1:] == ("watch.add", "watch/1", 1)


@pytest.mark.parametrize(
    ("row", "known"),
    [
        (Row(3), "3 seats are open, as of 15 Jan 2026, 09:00 UTC."),
        (Row(1), "1 seat is open, as of 15 Jan 2026, 09:00 UTC."),
        (Row(None), "Seats are unknown, as of 15 Jan 2026, 09:00 UTC."),
        (None, "Unknown section: its catalog does not list it; the next check is at 15 Jan 2026, 10:00 UTC."),
    ],
)
def test_anyone_who_adds_a_watch_is_reported_how_the_section_stands(
    site: Site, guest: httpx.Client, row: Row | None, known: str
) -> None:
    site.rollcall.watch()
    if row is not None:
        site.rollcall.catalog.rows[site.rollcall.key()] = row
    site.rollcall.run()
    bob = ADA | {"email": "bob@example.edu"}
    assert f"gets mail about its changes. {known}" in words(guest.post("/console/do/watch-add", data=bob))
    guest.post("/console/do/watch-add", data=bob | YES)
    assert said(guest) == f"Added watch 2. {known}"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"source": "nowhere"}, "source"),
        ({"section": "'"}, "section"),
        ({"min_seats": "0"}, "min_seats"),
        ({"kinds": "everything"}, "kinds"),
        ({"colour": "red"}, "colour"),
    ],
)
@pytest.mark.parametrize("answer", [{}, YES])
def test_what_is_wrong_with_a_request_is_named(
    site: Site, guest: httpx.Client, changes: dict[str, str], field: str, answer: dict[str, str]
) -> None:
    refused = guest.post("/console/do/watch-add", data=ADA | changes | answer)
    assert (refused.status_code, site.count("watches")) == (422, 0)
    assert field in words(refused)


def test_a_watch_is_paused_for_a_time_and_resumed(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    asked = guest.post("/console/do/watch-pause", data={"watch_id": "1"})
    assert "Changes during the pause are never sent" in words(asked)
    guest.post("/console/do/watch-pause", data={"watch_id": "1", "length": "1d"} | YES)
    assert said(guest) == "Paused watch 1 until 16 Jan 2026, 09:00 UTC."
    assert "paused until 16 Jan" in words(guest.get("/console/sections/scraper/2261/12430"))
    guest.post("/console/do/watch-resume", data={"watch_id": "1"} | YES)
    assert said(guest) == "Resumed watch 1."
    nothing = guest.post("/console/do/watch-resume", data={"watch_id": "1"})
    assert 'name="confirm"' not in nothing.text
    assert [action for _, action, _, _ in recorded(site.rollcall)][1:] == ["watch.pause", "watch.resume"]


def test_a_watch_is_deleted_and_its_history_stays(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    assert "This cannot be undone." in words(guest.post("/console/do/watch-end", data={"watch_id": "1"}))
    guest.post("/console/do/watch-end", data={"watch_id": "1"} | YES)
    assert said(guest) == "Ended watch 1."
    assert "It has no active watch" in words(guest.get("/console/sections/scraper/2261/12430"))
    assert guest.get("/console/timeline/watch/1").status_code == 200


@pytest.mark.parametrize("action", ["watch-pause", "watch-resume", "watch-end"])
@pytest.mark.parametrize("answer", [{}, YES])
def test_a_watch_that_is_not_active_is_named(
    guest: httpx.Client, action: str, answer: dict[str, str]
) -> None:
    refused = guest.post(f"/console/do/{action}", data={"watch_id": "7"} | answer)
    assert refused.status_code == 422
    assert "no active watch has the number 7" in words(refused)


@pytest.mark.parametrize(
    "action", [each.console_path for each in OPERATIONS if Surface.CONSOLE in each.surfaces]
)
def test_no_action_is_for_strangers_or_for_other_sites(site: Site, guest: httpx.Client, action: str) -> None:
    path = f"/console/do/{action}"
    with stranger(site) as client:
        unsigned = client.post(path, data=ADA | YES)
    assert (unsigned.status_code, unsigned.headers["location"][:16]) == (303, "/console/sign-in")
    crossed = guest.post(path, data=ADA | YES, headers={"Sec-Fetch-Site": "cross-site"})
    assert crossed.status_code == 403
    assert [entry[1] for entry in recorded(site.rollcall)] == ["session.begin"]


def test_a_term_is_ended_from_the_page_of_sections(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    site.rollcall.catalog.rows[site.rollcall.key()] = Row(3)
    site.rollcall.run()
    site.rollcall.catalog.rows.clear()
    site.rollcall.run()
    assert "appears to be over" not in words(guest.get("/console/sections"))
    with site.rollcall.database.write() as connection:  # a day ago: a session does not last as long
        connection.execute(update(sections).values(missing_since_ms=0))
    assert "The term scraper/2261 appears to be over" in words(guest.get("/console/sections"))
    term = {"source": "scraper", "term": "2261"}
    asked = words(guest.post("/console/do/term-end", data=term))
    assert "The catalog no longer lists any of its watched sections." in asked
    guest.post("/console/do/term-end", data=term | YES)
    assert said(guest) == "Ended the term scraper/2261: 1 watch of 1 person."
    assert recorded(site.rollcall)[-1][1:] == ("term.end", "term/scraper/2261", 1)
