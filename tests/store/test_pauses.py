from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domain.run import WaitReason
from store.database import Database
from store.pauses import ROLLCALL, Pause, Pauses
from tests.store.harness import StoreHarness, key

LONG, SHORT = timedelta(hours=2), timedelta(minutes=15)


@pytest.fixture
def pauses(database: Database) -> Pauses:
    return Pauses(database)


def held(pauses: Pauses, store: StoreHarness, by: str, length: timedelta) -> Pause:
    now = store.clock.now()
    return pauses.pause("scraper", now + length, f"{by} says so", by, now)


def until(pauses: Pauses, store: StoreHarness) -> datetime | None:
    found = pauses.paused("scraper", store.clock.now())
    return None if found is None else found.until


def test_a_pause_holds_until_its_end_and_for_its_name_alone(pauses: Pauses, store: StoreHarness) -> None:
    assert until(pauses, store) is None
    wanted = held(pauses, store, "ada", SHORT)
    assert pauses.paused("scraper", store.clock.now()) == wanted
    assert pauses.paused("mail", store.clock.now()) is None
    store.clock.advance(900)
    assert until(pauses, store) is None
    assert pauses.all() == {"scraper": wanted}


def test_it_outlives_the_process_that_set_it(pauses: Pauses, store: StoreHarness, database_url: str) -> None:
    wanted = held(pauses, store, "ada", LONG)
    another = Database(database_url)
    assert Pauses(another).paused("scraper", store.clock.now()) == wanted
    another.close()


def test_rollcall_never_shortens_a_persons_pause(pauses: Pauses, store: StoreHarness) -> None:
    wanted = held(pauses, store, "ada", LONG)
    assert held(pauses, store, ROLLCALL, SHORT).until == wanted.until
    assert pauses.paused("scraper", store.clock.now()) == wanted


def test_rollcall_makes_a_persons_pause_longer_and_it_stays_that_persons(
    pauses: Pauses, store: StoreHarness
) -> None:
    held(pauses, store, "ada", SHORT)
    longer = held(pauses, store, ROLLCALL, LONG)
    assert (longer.by, longer.until) == ("ada", store.clock.now() + LONG)
    assert not pauses.end_ours(longer)


def test_a_persons_word_replaces_what_held(pauses: Pauses, store: StoreHarness) -> None:
    held(pauses, store, ROLLCALL, LONG)
    assert held(pauses, store, "ada", SHORT).by == "ada"
    assert until(pauses, store) == store.clock.now() + SHORT


def test_rollcall_takes_over_where_a_persons_pause_is_long_over(pauses: Pauses, store: StoreHarness) -> None:
    held(pauses, store, "ada", SHORT)
    store.clock.advance(3600)
    assert held(pauses, store, ROLLCALL, SHORT).is_ours


def test_a_success_ends_the_pause_of_rollcalls_that_it_came_after(
    pauses: Pauses, store: StoreHarness
) -> None:
    first = held(pauses, store, ROLLCALL, SHORT)
    store.clock.advance(900)
    assert pauses.find("scraper") == first
    second = held(pauses, store, ROLLCALL, SHORT)
    assert not pauses.end_ours(first)
    assert pauses.end_ours(second)
    assert not pauses.end_ours(second)
    assert pauses.all() == {}


def test_resuming_ends_it_anyone_who_set_it(pauses: Pauses, store: StoreHarness) -> None:
    for by in (ROLLCALL, "ada"):
        held(pauses, store, by, LONG)
        assert pauses.resume("scraper")
        assert until(pauses, store) is None
    assert not pauses.resume("scraper")


def test_resuming_sets_going_what_the_pause_held_and_nothing_else(
    pauses: Pauses, store: StoreHarness
) -> None:
    store.watch("12430")
    store.watch("12432")
    now = store.clock.now()
    _, (first, second) = store.start([key("12430")], [key("12432")])
    store.checks.reschedule(first, held(pauses, store, "ada", LONG).until, WaitReason.PAUSE, "why")
    store.checks.reschedule(second, now + timedelta(seconds=80), WaitReason.BREAKER, "why")
    pauses.resume("scraper")
    assert store.runs.claim_due_batches(now) == [first]
