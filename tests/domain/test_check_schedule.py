from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.check_schedule import (
    MAX_INTERVAL_HOURS,
    ChangeCount,
    CheckSchedule,
    HourlyActivity,
    SectionActivity,
)

TICK = 1 / 60
NOON = 12.0


def test_a_section_that_was_never_checked_goes_first() -> None:
    new, known = SectionActivity(), SectionActivity(open_seats=0, checked_at=NOON - 2)
    assert CheckSchedule().choose([known, new], 1, NOON, NOON + TICK) == [new]


def test_without_observations_the_least_recently_checked_closed_section_goes_first() -> None:
    sections = [SectionActivity(open_seats=0, checked_at=NOON - ago) for ago in (0.5, 1.5, 1.0)]
    chosen = CheckSchedule().choose(sections, 2, NOON, NOON + TICK)
    assert chosen == [sections[1], sections[2]]


def test_a_closed_section_goes_before_an_open_one() -> None:
    opened, closed = (SectionActivity(open_seats=seats, checked_at=NOON - 1) for seats in (5, 0))
    assert CheckSchedule().choose([opened, closed], 1, NOON, NOON + TICK) == [closed]


def test_an_open_section_with_few_seats_goes_before_one_with_many() -> None:
    many, few = (SectionActivity(open_seats=seats, checked_at=NOON - 1) for seats in (30, 1))
    assert CheckSchedule().choose([many, few], 1, NOON, NOON + TICK) == [few]


def test_a_section_that_changed_recently_goes_before_one_that_did_not() -> None:
    schedule = CheckSchedule()
    calm, changed = SectionActivity(), SectionActivity()
    for now, seats in enumerate((0, 3, 0)):
        schedule.record(calm, 0, NOON + now)
        schedule.record(changed, seats, NOON + now)
    assert schedule.choose([calm, changed], 1, NOON + 3, NOON + 3 + TICK) == [changed]


def test_old_changes_are_forgotten() -> None:
    schedule, section = CheckSchedule(), SectionActivity()
    for now, seats in ((0.0, 0), (1.0, 2), (2000.0, 2)):
        schedule.record(section, seats, now)
    assert section.recent.changes < section.lasting.changes < 0.1


def test_a_section_that_is_nearly_overdue_goes_first_even_with_many_seats() -> None:
    overdue = SectionActivity(open_seats=300, checked_at=NOON - MAX_INTERVAL_HOURS + TICK)
    busy = SectionActivity(open_seats=0, checked_at=NOON - 2.5, recent=ChangeCount(50.0, 50.0))
    assert CheckSchedule().choose([busy, overdue], 1, NOON, NOON + 2 * TICK) == [overdue]


def test_sections_that_are_nearly_overdue_are_checked_beyond_the_requests() -> None:
    overdue = [SectionActivity(open_seats=9, checked_at=NOON - MAX_INTERVAL_HOURS) for _ in range(3)]
    known = SectionActivity(open_seats=0, checked_at=NOON - 1)
    assert CheckSchedule().choose([known, *overdue], 0, NOON, NOON + TICK) == overdue


def test_an_answer_without_seats_counts_as_a_check_and_changes_nothing() -> None:
    schedule, section = CheckSchedule(), SectionActivity(open_seats=1, checked_at=NOON)
    schedule.record(section, None, NOON + 1)
    assert (section.checked_at, section.open_seats, section.recent.changes) == (NOON + 1, 1, 0.0)


def test_all_hours_are_equal_before_any_change() -> None:
    hours = HourlyActivity(prior=5.0)
    assert [hours.at(hour) for hour in range(24)] == pytest.approx([1.0] * 24)


@given(changes=st.lists(st.floats(0, 23), max_size=50), now=st.floats(0, 500_000))
def test_the_clock_of_activity_gains_24_hours_a_day_and_never_stands(
    changes: list[float], now: float
) -> None:
    hours = HourlyActivity(prior=5.0)
    for hour in changes:
        hours.add(hour, hour)
    assert hours.until(now + 24) - hours.until(now) == pytest.approx(24)
    assert hours.until(now + 0.25) > hours.until(now)


@given(changes=st.lists(st.floats(0, 23), max_size=50))
def test_a_day_costs_24_requests_for_each_section_whatever_the_hours(changes: list[float]) -> None:
    schedule = CheckSchedule()
    for hour in changes:
        schedule.hours.add(hour, hour)
    spent = sum(schedule.budget(100, tick / 60, (tick + 1) / 60) for tick in range(24 * 60))
    assert spent == pytest.approx(2400, rel=0.01)


def test_busy_hours_get_more_of_the_budget() -> None:
    schedule = CheckSchedule()
    for _ in range(100):
        schedule.hours.add(NOON, NOON)
    assert schedule.budget(100, NOON, NOON + 0.5) > 60 > schedule.budget(100, 3.0, 3.5) > 0
