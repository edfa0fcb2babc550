from __future__ import annotations

from datetime import timedelta

from domain.history import day_of
from store.sections.history import DailyRollups, TermTotal
from tests.store.desk import Desk

HOUR_SECONDS = 3600
HOUR = timedelta(hours=1)


def roll_up(desk: Desk) -> int:
    days, today = DailyRollups(desk.database), day_of(desk.clock.now())
    return days.roll_up(days.unfinished(today), today)


def totals(desk: Desk) -> list[TermTotal]:
    return DailyRollups(desk.database).totals("scraper", "2261")


def seats(hours: int) -> list[int]:
    """Open for the last two of every six hours."""
    return [int(hour % 6 > 3) for hour in range(hours)]


def test_only_days_that_are_over_are_condensed(desk: Desk) -> None:
    first = day_of(desk.clock.now())
    desk.watch()
    desk.show(*seats(24), seconds=HOUR_SECONDS)

    assert roll_up(desk) == 1
    # From 10:00 to midnight, with openings at 14:00 and 20:00.
    assert totals(desk) == [TermTotal("12430", 2, 4 * HOUR, 14 * HOUR, first)]


def test_night_by_night_comes_to_the_same_as_all_at_once(desk: Desk) -> None:
    desk.watch()
    desk.watch("12431")
    for _ in range(3):
        desk.show(*seats(24), seconds=HOUR_SECONDS)
        desk.show(3, number="12431", seconds=0.001)
        roll_up(desk)
    by_night = totals(desk)
    with desk.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM section_daily_rollups")
    roll_up(desk)

    assert totals(desk) == by_night
    assert [total.openings for total in by_night] == [10, 0]


def test_to_condense_again_changes_nothing(desk: Desk) -> None:
    desk.watch()
    desk.show(*seats(48), seconds=HOUR_SECONDS)
    roll_up(desk)
    before = desk.dump()["section_daily_rollups"]

    days, today = DailyRollups(desk.database), day_of(desk.clock.now())
    assert days.unfinished(today) == []
    assert days.roll_up([1], today) == 0
    assert desk.dump()["section_daily_rollups"] == before


def test_a_day_without_a_look_has_no_row(desk: Desk) -> None:
    desk.watch()
    desk.show(1, seconds=HOUR_SECONDS)
    desk.clock.advance(48 * HOUR_SECONDS)
    desk.show(1, *[1] * 24, seconds=HOUR_SECONDS)

    roll_up(desk)
    assert len(desk.dump()["section_daily_rollups"]) == 2


def test_a_section_that_was_never_seen_is_left_out(desk: Desk) -> None:
    desk.watch()
    assert roll_up(desk) == 0
    assert totals(desk) == []
