"""Doubtful polls of a Banner 9 stand-in, from the answer to the mail."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.catalog import CatalogFault
from domain.catalog_poll import GuardState
from domain.watch import NotificationKind
from tests.actors.polling import TERM, Polling, School, polling
from tests.standins.server import Answer
from tests.support.harness import sqlite_url

SEAT = ("ada@example.edu", NotificationKind.SEAT_AVAILABLE)
CRNS = [f"n{crn}" for crn in range(10000, 10100)]
SEARCH = "searchResults/searchResults"
NO_ROWS = Answer(
    200, b'{"success":true,"totalCount":3,"data":[{"courseReferenceNumber":7}],"token":"s3cret"}'
)
MAINTENANCE = Answer(503, b"<html>Scheduled maintenance</html>")


@contextmanager
def one(client: redis.Redis, prefix: str, folder: Path) -> Iterator[Polling]:
    home = {"ROLLCALL_HOME": str(folder)}
    with polling(sqlite_url(folder), client, prefix, "okstate", settings=home) as found:
        yield found


@pytest.fixture
def place(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Polling]:
    with one(redis_client, prefix, tmp_path) as found:
        yield found


@pytest.fixture
def school(place: Polling) -> School:
    """A term of a hundred full sections, of which one is watched; it has been polled."""
    school = place.schools[0]
    school.show(**dict.fromkeys(CRNS, 0))
    school.watch("10000")
    place.poll()
    return school


def break_answers(school: School, answer: Answer = NO_ROWS) -> None:
    school.site.failing[SEARCH] = answer


def poll(place: Polling, times: int = 1) -> None:
    for _ in range(times):
        place.poll(700)  # longer than any back-off


def test_a_second_bad_poll_freezes_and_keeps_a_sample(place: Polling, school: School, tmp_path: Path) -> None:
    break_answers(school)
    poll(place)
    assert school.state.guard is GuardState.CLEAR
    poll(place)
    assert (school.state.guard, school.state.fault) == (GuardState.FROZEN, CatalogFault.SCHEMA)
    assert school.state.guard_sample is not None
    file = Path(school.state.guard_sample)
    sample = json.loads(file.read_bytes())
    assert (file.parent, stat.S_IMODE(file.stat().st_mode)) == (tmp_path / "catalogs" / "samples", 0o600)
    assert sample["request"] == "GET /StudentRegistrationSsb/ssb/searchResults/searchResults"
    assert '"courseReferenceNumber":7' in sample["body"]
    assert "s3cret" not in sample["body"]
    assert sample["reason"] == school.state.guard_reason


def test_what_opened_while_frozen_and_is_still_open_is_announced_once(place: Polling, school: School) -> None:
    break_answers(school)
    poll(place, 2)
    school.site.failing.clear()
    school.show(n10000=2, n10001=1)
    poll(place, 2)
    assert (place.mailed, school.seats("10000"), school.state.guard) == ([], 0, GuardState.CLEAR)
    poll(place, 2)
    assert (place.mailed, school.seats("10000"), school.state.guard_reason) == ([SEAT], 2, None)


def test_what_opened_and_closed_while_frozen_is_never_announced(place: Polling, school: School) -> None:
    break_answers(school)
    poll(place, 2)
    school.site.failing.clear()
    school.show(n10000=2)
    poll(place)
    school.show(n10000=0)
    poll(place, 3)
    assert place.mailed == []


def test_maintenance_neither_freezes_nor_thaws(place: Polling, school: School) -> None:
    break_answers(school, MAINTENANCE)
    poll(place, 3)
    assert (school.state.guard, school.state.fault) == (GuardState.CLEAR, CatalogFault.MAINTENANCE)


def test_a_term_that_lost_most_of_its_sections_is_not_believed(place: Polling, school: School) -> None:
    rows = list(school.site.rows)
    school.site.rows[:] = rows[60:]
    poll(place, 2)
    assert (school.state.guard, school.state.fault) == (GuardState.FROZEN, CatalogFault.DOUBTFUL)
    assert (school.state.known_rows, school.seats("10000")) == (100, 0)
    assert "40 sections, and had 100" in (school.state.guard_reason or "")
    decide(place, GuardState.DISCARDED)
    poll(place)
    assert (school.state.known_rows, school.state.guard, place.mailed) == (40, GuardState.CLEAR, [])


def test_a_term_that_is_no_longer_listed_is_named(place: Polling, school: School) -> None:
    school.site.terms[:] = [("202720", "Spring 2027")]
    break_answers(school)
    poll(place, 2)
    assert (school.state.guard, school.state.fault) == (GuardState.FROZEN, CatalogFault.TERM_GONE)
    assert school.state.guard_reason is not None
    assert "does not list the term 202710" in school.state.guard_reason


def surge(school: School, count: int = 45) -> None:
    school.show(**dict.fromkeys(CRNS[:count], 2))


def decide(place: Polling, decision: GuardState) -> None:
    polls = place.rollcall.services.store.polls
    assert polls.decide(("okstate", TERM), decision, place.rollcall.clock.now())


def test_a_surge_is_held_at_once_and_announced_after_its_release(place: Polling, school: School) -> None:
    surge(school)
    poll(place, 3)
    assert (place.mailed, school.state.guard, school.seats("10000")) == ([], GuardState.HELD, 0)
    assert "45 sections of 100 would open" in (school.state.guard_reason or "")
    assert school.state.guard_sample is not None
    decide(place, GuardState.RELEASED)
    poll(place, 3)
    assert (place.mailed, school.state.guard) == ([SEAT], GuardState.CLEAR)


def test_the_release_of_a_whole_term_that_opened_is_announced_once(place: Polling, school: School) -> None:
    surge(school, 100)
    poll(place)
    decide(place, GuardState.RELEASED)
    poll(place, 4)
    assert (place.mailed, school.state.guard, school.seats("10000")) == ([SEAT], GuardState.CLEAR, 2)


@pytest.mark.parametrize("count", [45, 100])
def test_a_discarded_surge_is_a_silent_baseline(place: Polling, school: School, count: int) -> None:
    surge(school, count)
    poll(place)
    decide(place, GuardState.DISCARDED)
    poll(place, 3)
    assert (place.mailed, school.state.guard, school.seats("10000")) == ([], GuardState.CLEAR, 2)
    school.show(n10000=0)
    poll(place)
    school.show(n10000=3)
    poll(place)
    assert place.mailed == [SEAT]


def test_a_surge_that_the_catalog_takes_back_needs_no_decision(place: Polling, school: School) -> None:
    surge(school)
    poll(place, 2)
    surge(school, 100)
    school.show(**dict.fromkeys(CRNS, 0))
    poll(place, 3)
    school.show(n10000=1)
    poll(place)
    assert (place.mailed, school.state.guard) == ([SEAT], GuardState.CLEAR)


def test_a_decision_needs_a_guard(place: Polling, school: School) -> None:
    polls, now = place.rollcall.services.store.polls, place.rollcall.clock.now()
    assert not polls.decide((school.name, TERM), GuardState.RELEASED, now)
    assert school.state.guard is GuardState.CLEAR


def test_an_ordinary_opening_is_announced_and_learned(place: Polling, school: School) -> None:
    surge(school, 10)
    poll(place, 2)
    assert (place.mailed, school.state.guard) == ([SEAT], GuardState.CLEAR)
    assert school.state.history is not None
    assert school.state.history["opening_rate"] > 0


BAD = st.sampled_from(["schema", "short", "surge", "halved", "maintenance"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(polls=st.lists(BAD, min_size=1, max_size=6))
def test_no_doubtful_poll_ever_announces_anything(redis_client: redis.Redis, polls: list[str]) -> None:
    """Every answer shows the watched section open, and none is credible."""
    with (
        TemporaryDirectory() as folder,
        one(redis_client, f"drift-{uuid4().hex}", Path(folder)) as place,
    ):
        school = place.schools[0]
        school.show(**dict.fromkeys(CRNS, 0))
        school.watch("10000")
        place.poll()
        break_answers(school)  # after a bad poll, the watched sections are read alone
        poll(place)
        school.site.failing.clear()
        poll(place)
        rows = [dict(row) for row in school.site.rows]
        for kind in polls:
            school.site.failing.clear()
            school.site.cut_at = None
            school.site.rows[:] = [dict(row) for row in rows]
            if kind == "schema":
                break_answers(school)
            elif kind == "maintenance":
                break_answers(school, MAINTENANCE)
            elif kind == "surge":
                surge(school, 60)
            elif kind == "halved":
                school.show(n10000=5)
                school.site.rows[:] = school.site.rows[:30]
            else:
                school.show(n10000=5)
                school.site.cut_at = 0
            poll(place)
        assert (place.mailed, school.seats("10000")) == ([], 0)
