from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.history import HistoryEntry
from domain.observation import Details, SectionStatus
from domain.section import SectionKey, Stagger
from store.sections.states import ensure_all, load
from tests.store.harness import DETAILS, GRACE, StoreHarness, key
from tests.store.rivals import together


def test_a_section_that_no_one_ever_watched_is_unknown(store: StoreHarness) -> None:
    assert store.sections.get(key()) is None
    assert store.sections.history(key()) == []


def test_a_watched_section_is_known_before_it_was_observed(store: StoreHarness) -> None:
    store.watch()
    state = store.sections.get(key())
    assert state is not None
    assert (state.observed_at, state.open_seats, state.capacity, state.instructor) == (None,) * 4
    assert state.details == Details()


def test_everything_that_was_observed_is_kept(store: StoreHarness) -> None:
    store.watch()
    store.check(store.observation(3, "Ada Lovelace"))
    state = store.sections.get(key())
    assert state is not None
    assert (state.open_seats, state.capacity, state.instructor) == (3, 30, "Ada Lovelace")
    assert (state.observed_at, state.details) == (store.clock.now(), DETAILS)


def test_what_a_catalog_states_besides_seats_is_kept(store: StoreHarness) -> None:
    store.watch()
    stated = replace(
        store.observation(0),
        status=SectionStatus.WAITLIST,
        is_counted=False,
        waitlist_places=2,
        waitlist_length=7,
        as_of=store.clock.now(),
    )
    store.check(stated)
    state = store.sections.get(key())
    assert state is not None
    assert (state.status, state.is_counted, state.as_of) == (stated.status, False, stated.as_of)
    assert (state.waitlist_places, state.waitlist_length) == (2, 7)


@pytest.mark.parametrize(
    ("stagger", "numbers"),
    [
        (Stagger.EVEN, {"12430", "HONORS"}),
        (Stagger.ODD, {"12431"}),
        (Stagger.ALL, {"12430", "12431", "HONORS"}),
    ],
)
def test_a_stagger_covers_its_parity(store: StoreHarness, stagger: Stagger, numbers: set[str]) -> None:
    for number in ("12430", "12431", "HONORS"):
        store.watch(number)
    assert {due.number for due in store.sections.due(stagger, ["scraper"], store.clock.now())} == numbers


def test_each_watched_section_is_due_once_however_many_watch_it(store: StoreHarness) -> None:
    store.watch()
    store.watch(email=GRACE)
    assert store.sections.due(Stagger.ALL, ["scraper"], store.clock.now()) == [key()]


def test_only_sections_of_the_given_sources_are_due(store: StoreHarness) -> None:
    store.watch(source="scraper")
    store.watch(source="campus")
    assert store.sections.due(Stagger.ALL, ["campus"], store.clock.now()) == [key(source="campus")]
    assert store.sections.due(Stagger.ALL, [], store.clock.now()) == []


def test_a_section_that_no_one_watches_any_more_is_not_due(store: StoreHarness) -> None:
    watch = store.watch()
    store.watches.end(watch.id, "unsubscribed", store.clock.now())
    assert store.sections.due(Stagger.ALL, ["scraper"], store.clock.now()) == []
    assert store.sections.get(key()) is not None


def test_the_same_number_in_another_term_or_source_is_another_section(store: StoreHarness) -> None:
    keys = [key(), key(term="2262"), key(source="campus")]
    with store.database.write() as connection:
        ids = ensure_all(connection, keys)
        assert ensure_all(connection, keys) == ids
        assert set(load(connection, keys)) == set(keys)
    assert len(set(ids.values())) == 3


def test_thousands_of_sections_are_loaded_at_once(store: StoreHarness) -> None:
    keys = [key(str(number)) for number in range(2000)]
    with store.database.write() as connection:
        ensure_all(connection, keys[:20])
        assert set(load(connection, keys)) == set(keys[:20])


def test_concurrent_callers_that_need_the_same_new_section_share_one_row(store: StoreHarness) -> None:
    def find() -> int:
        with store.database.write() as connection:
            return ensure_all(connection, [key()])[key()]

    assert len(set(together(*[find] * 6))) == 1


def test_the_history_holds_changes_newest_first_and_no_repetitions(store: StoreHarness) -> None:
    store.watch()
    start = store.clock.now()
    store.show(0, 0, 2, 2, None, 2, 0)
    assert store.sections.history(key()) == [
        HistoryEntry(start + timedelta(seconds=second), seats, 30, None)
        for second, seats in ((7, 0), (3, 2), (1, 0))
    ]


def test_a_source_last_spoke_when_any_of_its_sections_was_last_heard_of(store: StoreHarness) -> None:
    store.watch()
    store.watch("12431")
    store.watch(source="campus")
    assert store.sections.last_success(store.clock.now()) == {}
    store.show(0)
    heard = store.clock.advance(5)
    store.check(store.missing("12431"))
    assert store.sections.last_success(store.clock.now()) == {"scraper": heard}


def test_a_key_comes_back_as_it_went_in(store: StoreHarness) -> None:
    odd = SectionKey("scraper", "FA25", "CSE-100-A")
    with store.database.write() as connection:
        ensure_all(connection, [odd])
    state = store.sections.get(odd)
    assert state is not None
    assert state.key == odd


def test_a_time_ahead_of_the_clock_hides_no_silence(store: StoreHarness) -> None:
    store.watch()
    store.watch("12431")
    heard = store.clock.advance(1)
    store.check(store.observation(1))
    store.clock.advance(86_400)
    store.check(store.observation(1, number="12431"))
    assert store.sections.last_success(heard) == {"scraper": heard}
