from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from domain.history import ObservedPeriod, SectionHistory
from store.database import to_ms
from store.schema import watches
from store.sections.history import Histories
from tests.store.harness import DETAILS, StoreHarness, key

HOUR_SECONDS = 3600
HOUR = timedelta(hours=1)


def history(store: StoreHarness, number: str = "12430") -> SectionHistory:
    until = store.clock.now() + timedelta(seconds=1)
    return Histories(store.database).of([key(number)], until)[0]


def test_a_history_holds_each_change_and_when_someone_looked_last(store: StoreHarness) -> None:
    start = store.clock.now()
    store.watch()
    store.show(0, 0, 2, 2, 0, 0, seconds=HOUR_SECONDS)

    found = history(store)
    assert [(seen.observed_at - start, seen.open_seats) for seen in found.entries] == [
        (HOUR, 0),
        (3 * HOUR, 2),
        (5 * HOUR, 0),
    ]
    assert (found.observed_until, found.details, found.blind) == (start + 6 * HOUR, DETAILS, [])


def test_a_time_without_runs_is_blind(store: StoreHarness) -> None:
    start = store.clock.now()
    store.watch()
    store.show(0, 0, seconds=HOUR_SECONDS)
    store.clock.advance(4 * HOUR_SECONDS)
    store.show(0, 0, seconds=HOUR_SECONDS)

    assert history(store).blind == [ObservedPeriod(start + 3 * HOUR, start + 7 * HOUR)]


def test_a_time_without_a_watch_is_blind_though_others_were_inspected(store: StoreHarness) -> None:
    start = store.clock.now()
    store.watch()
    store.watch("99999")
    store.show(0, seconds=HOUR_SECONDS)
    with store.database.write() as connection:
        connection.execute(update(watches).values(ended_at_ms=to_ms(store.clock.now())))
    store.show(1, 1, 1, 1, 1, number="99999", seconds=HOUR_SECONDS)
    store.watch()
    store.show(0, seconds=HOUR_SECONDS)

    assert history(store).blind == [ObservedPeriod(start + 2 * HOUR, start + 6 * HOUR)]


def test_what_comes_later_than_the_end_is_left_out(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 1, seconds=HOUR_SECONDS)
    end = store.clock.now()
    store.show(0, seconds=HOUR_SECONDS)

    found = Histories(store.database).of([key()], end)[0]
    assert [seen.open_seats for seen in found.entries] == [0]


def test_a_section_that_no_one_ever_saw_has_an_empty_history(store: StoreHarness) -> None:
    store.watch("12430")
    found = Histories(store.database).of([key("12430"), key("99999")], store.clock.now())
    assert [(each.key.number, each.observed) for each in found] == [("12430", None), ("99999", None)]
