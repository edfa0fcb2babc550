from __future__ import annotations

from datetime import timedelta

from domain.history import day_of
from store.sections.history import DailyRollups, TermTotal
from tests.store.harness import StoreHarness

HOUR_SECONDS = 3600
HOUR = timedelta(hours=1)


def roll_up(store: StoreHarness) -> int:
    days, today = DailyRollups(store.database), day_of(store.clock.now())
    return days.roll_up(days.unfinished(today), today)


def totals(store: StoreHarness) -> list[TermTotal]:
    return DailyRollups(store.database).totals("scraper", "2261")


def seats(hours: int) -> list[int]:
    """Open for the last two of every six hours."""
    return [int(hour % 6 > 3) for hour in range(hours)]


def test_only_days_that_are_over_are_condensed(store: StoreHarness) -> None:
    first = day_of(store.clock.now())
    store.watch()
    store.show(*seats(24), seconds=HOUR_SECONDS)

    assert roll_up(store) == 1
    # From 10:00 to midnight, with openings at 14:00 and 20:00.
    assert totals(store) == [TermTotal("12430", 2, 4 * HOUR, 14 * HOUR, first)]


def test_night_by_night_comes_to_the_same_as_all_at_once(store: StoreHarness) -> None:
    store.watch()
    store.watch("12431")
    for _ in range(3):
        store.show(*seats(24), seconds=HOUR_SECONDS)
        store.show(3, number="12431", seconds=0.001)
        roll_up(store)
    by_night = totals(store)
    with store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM section_daily_rollups")
    roll_up(store)

    assert totals(store) == by_night
    assert [total.openings for total in by_night] == [10, 0]


def test_to_condense_again_changes_nothing(store: StoreHarness) -> None:
    store.watch()
    store.show(*seats(48), seconds=HOUR_SECONDS)
    roll_up(store)
    before = store.dump()["section_daily_rollups"]

    days, today = DailyRollups(store.database), day_of(store.clock.now())
    assert days.unfinished(today) == []
    assert days.roll_up([1], today) == 0
    assert store.dump()["section_daily_rollups"] == before


def test_a_day_without_a_look_has_no_row(store: StoreHarness) -> None:
    store.watch()
    store.show(1, seconds=HOUR_SECONDS)
    store.clock.advance(48 * HOUR_SECONDS)
    store.show(1, *[1] * 24, seconds=HOUR_SECONDS)

    roll_up(store)
    assert len(store.dump()["section_daily_rollups"]) == 2


def test_a_section_that_was_never_seen_is_left_out(store: StoreHarness) -> None:
    store.watch()
    assert roll_up(store) == 0
    assert totals(store) == []
