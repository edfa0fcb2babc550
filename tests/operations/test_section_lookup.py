"""Watches by link, and of sections that a polled catalog does not list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from domain.errors import InvalidInputError
from domain.section import SectionKey
from operations.new_watches import ADD, ADD_BY_LINK, NewWatch
from operations.section_lookup import section_of_link
from operations.watches import Listing
from store.watches import WatchFilter
from tests.actors.polling import TERM, Polling, polling
from tests.operations.journal import do, recorded
from tests.support.harness import sqlite_url

ADA = {"email": "ada@example.edu"}
LINK = "https://banner.{}/pls/crse?term_in=202710&crn_in={}"
SEAT = ("ada@example.edu", "seat_available")


@pytest.fixture
def place(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Polling]:
    """Two catalogs on one host, whose whole terms have been read."""
    with polling(sqlite_url(tmp_path), redis_client, prefix, "elm", "oak") as found:
        for school in found.schools:
            school.show(n10001=0, n10002=0, n20001=0)
            school.watch("10001", "bob@example.edu")
        found.poll()
        yield found


def add(place: Polling, section: str, source: str = "elm", **fields: object) -> object:
    return do(place.rollcall, ADD, **ADA, source=source, term=TERM, section=section, **fields)


def test_a_section_that_the_catalog_does_not_list_is_refused_with_the_nearest(place: Polling) -> None:
    before = len(recorded(place.rollcall))
    with pytest.raises(InvalidInputError) as error:
        add(place, "10003")
    assert error.value.problems == {
        "section": f"elm does not list 10003 in {TERM}; the nearest are"
        " 10002 ICS 111 Programming & Proofs, 10001 ICS 111 Programming & Proofs,"
        " 20001 ICS 111 Programming & Proofs"
    }
    assert len(recorded(place.rollcall)) == before
    with pytest.raises(InvalidInputError, match="does not list zzz"):
        add(place, "zzz")


def test_an_unlisted_section_is_watched_on_request_and_mailed_once_it_opens(place: Polling) -> None:
    added = do(place.rollcall, ADD, **ADA, source="elm", term=TERM, section="10003", unlisted=True).value
    assert added.listing is Listing.UNCHECKED
    elm = place.schools[0]
    elm.show(n10003=0)
    place.poll()
    elm.show(n10003=2)
    place.poll()
    assert place.mailed == [SEAT]


def test_a_term_that_was_never_read_refuses_nothing(place: Polling) -> None:
    do(place.rollcall, ADD, **ADA, source="elm", term="202740", section="77777")
    do(place.rollcall, ADD, **ADA, source="scraper", term=TERM, section="77777")
    assert place.rollcall.services.store.watches.count(WatchFilter())[0] == 4


def test_a_watch_is_added_by_link(place: Polling) -> None:
    link = LINK.format("127.0.0.1", "10001")
    with pytest.raises(InvalidInputError, match=r"source: must be given: it may be of elm, oak"):
        do(place.rollcall, ADD_BY_LINK, **ADA, link=link)
    added = do(place.rollcall, ADD_BY_LINK, **ADA, link=link, source="oak").value
    assert added.stored.watch.key == SectionKey("oak", TERM, "10001")
    assert recorded(place.rollcall)[-1][1] == "watch.add"
    with pytest.raises(InvalidInputError, match="does not list 10009"):
        do(place.rollcall, ADD_BY_LINK, **ADA, link=LINK.format("127.0.0.1", "10009"), source="oak")


@pytest.mark.parametrize(
    ("link", "field"),
    [("https://example.edu/x?crn_in=1", "link"), ("no link", "link"), ("10001", "term")],
)
def test_a_link_without_a_section_is_refused_by_field(place: Polling, link: str, field: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        section_of_link(place.rollcall.services, link, "elm", None)
    assert set(error.value.problems) == {field}
    key = section_of_link(place.rollcall.services, "10001", "elm", TERM)
    assert key == SectionKey("elm", TERM, "10001")


def test_a_plan_refuses_as_the_operation_does(place: Polling) -> None:
    with pytest.raises(InvalidInputError, match="does not list 10003"):
        ADD.plan(place.rollcall.admin, NewWatch("ada@example.edu", TERM, "10003", "elm"))
