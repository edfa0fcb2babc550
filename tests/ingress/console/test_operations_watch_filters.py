"""What is done to every watch that a filter matches."""

from __future__ import annotations

import httpx
import pytest

from store.watches import StoredWatch
from tests.ingress.console.visitor import said, words
from tests.ingress.site import Site
from tests.operations.journal import entries

YES = {"confirm": "yes"}
BLANK = {"email": "", "source": "", "term": "", "section": ""}


@pytest.fixture
def watches(site: Site) -> list[StoredWatch]:
    pairs = (("12430", "ada@example.edu"), ("12431", "ada@example.edu"), ("12430", "bob@example.edu"))
    return [site.rollcall.watch(number, email) for number, email in pairs]


def _active(site: Site) -> dict[int, bool]:
    """Whether each active watch is paused."""
    page, _ = site.rollcall.services.store.watches.page(after=None, limit=99)
    return {stored.id: stored.is_paused(site.rollcall.clock.now()) for stored in page}


def test_what_matches_is_paused_and_resumed(
    site: Site, guest: httpx.Client, watches: list[StoredWatch]
) -> None:
    wanted = BLANK | {"section": "12430"}
    asked = words(guest.post("/console/do/watches-pause", data=wanted))
    assert "Pause 2 watches? 2 active watches match (section 12430), of 2 addresses." in asked
    guest.post("/console/do/watches-pause", data=wanted | YES | {"length": "1d"})
    assert said(guest) == "Paused 2 watches until 16 Jan 2026, 09:00 UTC."
    one, two, three = (stored.id for stored in watches)
    assert _active(site) == {one: True, two: False, three: True}
    guest.post("/console/do/watches-resume", data=BLANK | {"email": "ada@example.edu"} | YES)
    assert _active(site) == {one: False, two: False, three: True}
    last, first = entries(site.rollcall)[-1], entries(site.rollcall)[-2]
    assert (first.action, first.count, dict(first.detail)) == (
        "watch.pause",
        2,
        {"section": "12430", "seconds": 86400.0},
    )
    assert (last.action, last.count, dict(last.detail)) == ("watch.resume", 2, {"email": "ada@example.edu"})


def test_what_matches_is_ended_once_it_is_confirmed(
    site: Site, guest: httpx.Client, watches: list[StoredWatch]
) -> None:
    wanted = BLANK | {"email": "ada@example.edu", "term": "2261", "source": "scraper"}
    asked = guest.post("/console/do/watches-end", data=wanted)
    assert "Delete 2 watches?" in words(asked)
    assert "This cannot be undone." in words(asked)
    assert len(_active(site)) == 3
    guest.post("/console/do/watches-end", data=wanted | YES)
    assert said(guest) == "Ended 2 watches."
    assert list(_active(site)) == [watches[-1].id]


@pytest.mark.usefixtures("watches")
def test_without_a_filter_every_watch_is_meant_and_that_is_said(guest: httpx.Client) -> None:
    asked = words(guest.post("/console/do/watches-end", data=BLANK))
    assert "3 active watches match (every watch), of 2 addresses." in asked


def test_where_nothing_matches_nothing_is_offered(guest: httpx.Client) -> None:
    asked = guest.post("/console/do/watches-end", data=BLANK | {"email": "eve@example.edu"})
    assert "There is nothing to do." in words(asked)
    assert 'name="confirm"' not in asked.text


def test_a_watch_whose_person_has_opted_out_is_not_resumed(
    site: Site, guest: httpx.Client, watches: list[StoredWatch]
) -> None:
    site.rollcall.services.store.opt_outs.stop_all("bob@example.edu", site.rollcall.clock.now())
    guest.post("/console/do/watches-resume", data=BLANK | YES)
    assert said(guest) == "Resumed 2 watches."
    assert watches[-1].id not in _active(site)
