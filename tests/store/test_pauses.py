from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domain.run import WaitReason
from store.database import Database
from store.pauses import ROLLCALL, Pause, Pauses
from tests.store.desk import Desk, key

LONG, SHORT = timedelta(hours=2), timedelta(minutes=15)


@pytest.fixture
def pauses(database: Database) -> Pauses:
    return Pauses(database)


def held(pauses: Pauses, desk: Desk, by: str, length: timedelta) -> Pause:
    now = desk.clock.now()
    return pauses.pause("scraper", now + length, f"{by} says so", by, now)


def until(pauses: Pauses, desk: Desk) -> datetime | None:
    found = pauses.paused("scraper", desk.clock.now())
    return None if found is None else found.until


def test_a_pause_holds_until_its_end_and_for_its_name_alone(pauses: Pauses, desk: Desk) -> None:
    assert until(pauses, desk) is None
    wanted = held(pauses, desk, "ada", SHORT)
    assert pauses.paused("scraper", desk.clock.now()) == wanted
    assert pauses.paused("mail", desk.clock.now()) is None
    desk.clock.advance(900)
    assert until(pauses, desk) is None
    assert pauses.all() == {"scraper": wanted}


def test_it_outlives_the_process_that_set_it(pauses: Pauses, desk: Desk, database_url: str) -> None:
    wanted = held(pauses, desk, "ada", LONG)
    another = Database(database_url)
    assert Pauses(another).paused("scraper", desk.clock.now()) == wanted
    another.close()


def test_rollcall_never_shortens_a_persons_pause(pauses: Pauses, desk: Desk) -> None:
    wanted = held(pauses, desk, "ada", LONG)
    assert held(pauses, desk, ROLLCALL, SHORT).until == wanted.until
    assert pauses.paused("scraper", desk.clock.now()) == wanted


def test_rollcall_makes_a_persons_pause_longer_and_it_stays_that_persons(pauses: Pauses, desk: Desk) -> None:
    held(pauses, desk, "ada", SHORT)
    longer = held(pauses, desk, ROLLCALL, LONG)
    assert (longer.by, longer.until) == ("ada", desk.clock.now() + LONG)
    assert not pauses.end_ours(longer)


def test_a_persons_word_replaces_what_held(pauses: Pauses, desk: Desk) -> None:
    held(pauses, desk, ROLLCALL, LONG)
    assert held(pauses, desk, "ada", SHORT).by == "ada"
    assert until(pauses, desk) == desk.clock.now() + SHORT


def test_rollcall_takes_over_where_a_persons_pause_is_long_over(pauses: Pauses, desk: Desk) -> None:
    held(pauses, desk, "ada", SHORT)
    desk.clock.advance(3600)
    assert held(pauses, desk, ROLLCALL, SHORT).is_ours


def test_a_success_ends_the_pause_of_rollcalls_that_it_came_after(pauses: Pauses, desk: Desk) -> None:
    first = held(pauses, desk, ROLLCALL, SHORT)
    desk.clock.advance(900)
    assert pauses.find("scraper") == first
    second = held(pauses, desk, ROLLCALL, SHORT)
    assert not pauses.end_ours(first)
    assert pauses.end_ours(second)
    assert not pauses.end_ours(second)
    assert pauses.all() == {}


def test_resuming_ends_it_anyone_who_set_it(pauses: Pauses, desk: Desk) -> None:
    for by in (ROLLCALL, "ada"):
        held(pauses, desk, by, LONG)
        assert pauses.resume("scraper")
        assert until(pauses, desk) is None
    assert not pauses.resume("scraper")


def test_resuming_sets_going_what_the_pause_held_and_nothing_else(pauses: Pauses, desk: Desk) -> None:
    desk.watch("12430")
    desk.watch("12432")
    now = desk.clock.now()
    _, (first, second) = desk.start([key("12430")], [key("12432")])
    desk.checks.reschedule(first, held(pauses, desk, "ada", LONG).until, WaitReason.PAUSE, "why")
    desk.checks.reschedule(second, now + timedelta(seconds=80), WaitReason.BREAKER, "why")
    pauses.resume("scraper")
    assert desk.runs.claim_due_batches(now) == [first]
