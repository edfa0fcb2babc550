"""Conditions of watches on polled catalogs: one states waitlists and reserved seats, one does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from domain.errors import InvalidInputError
from domain.section import SectionKey
from domain.watch import NotificationKind, Watch
from operations.course_watches import ADD_COURSE, END_COURSE
from operations.new_watches import ADD, IMPORT, ImportInput
from operations.operation import NoInput, execute
from operations.watch_filters import EXPORT
from operations.watch_preferences import Preferences, described, require_stated
from tests.actors.polling import TERM, Polling, polling
from tests.catalogs.kits import kit_of
from tests.operations.journal import do
from tests.support.harness import sqlite_url

ADA = {"email": "ada@example.edu", "source": "okstate", "term": TERM, "section": "10001"}
SEAT = ("ada@example.edu", NotificationKind.SEAT_AVAILABLE)
FILLED = ("ada@example.edu", NotificationKind.SEAT_FILLED)
ADDED = ("ada@example.edu", NotificationKind.SECTION_ADDED)


@pytest.fixture
def place(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Polling]:
    with polling(sqlite_url(tmp_path), redis_client, prefix, "okstate") as found:
        found.schools[0].show(n10001=0, n10002=0)
        yield found


def show(place: Polling, **changes: Any) -> None:
    place.schools[0].site.rows[0] |= changes
    place.poll()
    place.poll()


def test_a_reserved_seat_is_no_news_for_a_watch_of_unreserved_seats(place: Polling) -> None:
    do(place.rollcall, ADD, **ADA, kinds=["seat_available"], unreserved_only=True)
    show(place)
    reserved = {"seatsAvailable": 2, "reservedSeatSummary": {"seatsAvailableUnreserved": 0}}
    show(place, **reserved)
    assert place.mailed == []
    show(place, reservedSeatSummary={"seatsAvailableUnreserved": 1})
    assert place.mailed == [SEAT]


def test_the_last_seat_that_is_taken_is_mailed_only_if_it_is_asked_for(place: Polling) -> None:
    do(place.rollcall, ADD, **ADA, kinds=["seat_available", "seat_filled"])
    do(place.rollcall, ADD, **ADA | {"email": "bob@example.edu"})
    show(place)
    show(place, seatsAvailable=1)
    show(place, seatsAvailable=0)
    assert sorted(place.mailed) == sorted([SEAT, ("bob@example.edu", SEAT[1]), FILLED])


def test_a_new_watch_wants_waitlist_places_where_the_catalog_states_waitlists(place: Polling) -> None:
    added = do(place.rollcall, ADD, **ADA).value.stored.watch
    assert NotificationKind.WAITLIST_AVAILABLE in added.kinds
    scraped = do(place.rollcall, ADD, **ADA | {"source": "scraper"}).value.stored.watch
    assert NotificationKind.WAITLIST_AVAILABLE not in scraped.kinds


def test_a_section_that_a_watched_course_gains_is_announced_once_and_watched(place: Polling) -> None:
    course = {"email": "ada@example.edu", "source": "okstate", "term": TERM, "course": "ics111"}
    added, is_new = do(place.rollcall, ADD_COURSE, **course).value
    assert (is_new, do(place.rollcall, ADD_COURSE, **course).value[1]) == (True, False)
    place.poll()
    place.schools[0].show(n10003=0)
    place.poll()
    assert place.mailed == [ADDED]
    place.poll()
    assert place.mailed == [ADDED]
    do(place.rollcall, END_COURSE, course_watch_id=added.id)
    with pytest.raises(InvalidInputError, match="no active watch of a course"):
        do(place.rollcall, END_COURSE, course_watch_id=added.id)


def test_conditions_survive_export_and_import(place: Polling) -> None:
    do(place.rollcall, ADD, **ADA, unreserved_only=True, max_waitlist=3, min_seats=2)
    written = "".join(execute(EXPORT, place.rollcall.admin, NoInput(), "ada").value)
    stored = place.rollcall.services.store.watches.get(1)
    assert stored is not None
    place.rollcall.services.store.watches.end(1, "by hand", place.rollcall.clock.now())
    done = execute(IMPORT, place.rollcall.admin, ImportInput(written.encode()), "ada").value
    assert (done.created, done.rejected) == (1, [])
    again = place.rollcall.services.store.watches.get(2)
    assert again is not None
    assert again.watch == stored.watch
    assert described(again.watch) == "2 seats or more, unreserved seats only, waitlist of at most 3"


def test_a_cell_that_is_neither_yes_nor_no_is_named(place: Polling) -> None:
    text = f"email,source,term,section,unreserved_only\nada@example.edu,okstate,{TERM},1,maybe\n"
    done = execute(IMPORT, place.rollcall.admin, ImportInput(text.encode()), "ada").value
    assert done.rejected == [(2, "unreserved_only: must be yes or no")]


def test_what_a_catalog_never_states_is_no_condition(place: Polling) -> None:
    services, kit = place.rollcall.services, kit_of("rutgers")
    rutgers = replace(services.catalogs["okstate"], catalog=kit.catalog(kit.campus()))
    wanted = Preferences(kinds=(NotificationKind.WAITLIST_AVAILABLE,), unreserved_only=True, max_waitlist=2)
    with pytest.raises(InvalidInputError) as error:
        require_stated(replace(services, catalogs={"rutgers": rutgers}), "rutgers", wanted)
    assert set(error.value.problems) == {"kinds", "unreserved_only", "max_waitlist"}
    require_stated(services, "okstate", wanted)
    require_stated(services, "scraper", wanted)


def test_a_watch_without_conditions_has_no_description() -> None:
    assert described(Watch("ada@example.edu", SectionKey("okstate", TERM, "10001"))) == ""
