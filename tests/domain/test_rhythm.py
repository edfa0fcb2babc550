from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.rhythm import Rhythm

NOON = 12.0
WEEK = 7 * 24


def test_all_hours_are_equal_before_any_event() -> None:
    rhythm = Rhythm.daily()
    assert [rhythm.at(hour) for hour in range(24)] == pytest.approx([1.0] * 24)
    assert rhythm.pace(NOON) == pytest.approx(1.0)


def test_hours_with_events_are_more_frequent_on_every_day() -> None:
    rhythm = Rhythm.daily()
    for _ in range(50):
        rhythm.add(NOON, NOON)
    assert rhythm.at(NOON + 24 * 100) > 5
    assert rhythm.at(3.0) < 1


def test_days_with_events_are_more_frequent_in_every_week() -> None:
    rhythm = Rhythm.weekly()
    for _ in range(100):
        rhythm.add(NOON, NOON)
    assert rhythm.at(NOON + WEEK) > 1 > rhythm.at(NOON + WEEK + 48)


def test_an_event_between_two_times_is_spread_over_the_hours_in_between() -> None:
    rhythm = Rhythm.daily()
    for _ in range(50):
        rhythm.add(10.5, 12.5)
    assert rhythm.at(11.0) > rhythm.at(10.0) > rhythm.at(8.0)
    assert rhythm.at(10.0) == pytest.approx(rhythm.at(12.0))


def test_an_event_after_a_long_interval_counts_once() -> None:
    rhythm = Rhythm.daily()
    rhythm.add(0.0, 10_000.0)
    assert sum(rhythm.counts) == pytest.approx(1.0)


def test_later_events_outweigh_earlier_ones() -> None:
    rhythm = Rhythm.daily()
    for _ in range(100):
        rhythm.add(3.0, 3.0)
    for _ in range(200):
        rhythm.add(NOON, NOON)
    assert rhythm.at(NOON) > 4 * rhythm.at(3.0)


@given(
    hours=st.lists(st.floats(0, WEEK), max_size=50),
    now=st.floats(0, 500_000),
    empty=st.sampled_from([Rhythm.daily, Rhythm.weekly]),
)
def test_the_clock_passes_a_period_in_a_period_and_never_stands(
    hours: list[float], now: float, empty: Callable[[], Rhythm]
) -> None:
    found = empty()
    for hour in hours:
        found.add(hour, hour)
    assert found.clock(now + WEEK) - found.clock(now) == pytest.approx(WEEK)
    assert found.clock(now + 0.25) > found.clock(now)


@given(hours=st.lists(st.floats(0, 23), max_size=50))
def test_the_pace_of_a_day_is_one_on_average(hours: list[float]) -> None:
    rhythm = Rhythm.daily()
    for hour in hours:
        rhythm.add(hour, hour)
    assert sum(rhythm.pace(hour) for hour in range(24)) == pytest.approx(24)
