from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.history import (
    HistoryEntry,
    InstructorChange,
    ObservedPeriod,
    SectionHistory,
    day_of,
    days,
    in_sequence,
    instructor_changes,
    openings,
)
from domain.section import SectionKey

KEY = SectionKey("scraper", "2261", "12430")
START = datetime(2026, 1, 15, 0, 0, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def history(
    *seats: tuple[float, int | None], until: float = 24, blind: tuple[tuple[float, float], ...] = ()
) -> SectionHistory:
    """Seats from an hour on, looked at until another, apart from the blind hours."""
    entries = [HistoryEntry(at(hour), count, 30, None) for hour, count in seats]
    spans = [ObservedPeriod(at(start), at(end)) for start, end in blind]
    return SectionHistory(KEY, entries=entries, observed_until=at(until), blind=spans)


def observed_periods(found: SectionHistory) -> list[tuple[ObservedPeriod, int, bool, bool, bool]]:
    return [(o.span, o.max_seats, o.is_new, o.has_ended, o.is_certain) for o in openings(found)]


def test_an_opening_lasts_from_the_first_open_seat_to_the_last() -> None:
    found = history((0, 0), (2, 1), (3, 5), (5, 0))
    assert observed_periods(found) == [(ObservedPeriod(at(2), at(5)), 5, True, True, True)]


def test_seats_that_were_open_from_the_beginning_are_no_new_opening() -> None:
    assert observed_periods(history((0, 3), (5, 0))) == [(ObservedPeriod(at(0), at(5)), 3, False, True, True)]


def test_seats_that_are_open_at_the_last_observation_have_not_ended() -> None:
    assert observed_periods(history((0, 0), (5, 2), until=9)) == [
        (ObservedPeriod(at(5), at(9)), 2, True, False, True)
    ]


def test_an_opening_is_uncertain_when_no_one_looked_all_the_time() -> None:
    assert observed_periods(history((0, 0), (2, 1), (8, 0), blind=((3, 7),))) == [
        (ObservedPeriod(at(2), at(8)), 1, True, True, False)
    ]


def test_seats_that_no_one_notified_of_are_neither_open_nor_closed() -> None:
    assert observed_periods(history((0, None), (2, 1), (8, 0))) == [
        (ObservedPeriod(at(2), at(8)), 1, False, True, True)
    ]
    assert openings(history((0, None))) == []


def test_what_was_never_seen_has_no_openings_and_no_days() -> None:
    nothing = SectionHistory(KEY)
    assert (openings(nothing), list(days(nothing)), nothing.observed, nothing.polled_time) == (
        [],
        [],
        None,
        timedelta(0),
    )


def test_what_was_inspected_leaves_out_what_is_blind() -> None:
    assert history((0, 0), blind=((3, 7), (10, 12))).polled_time == timedelta(hours=18)


def test_a_day_counts_the_openings_that_began_on_it_and_the_time_of_all() -> None:
    found = history((0, 0), (20, 1), (30, 0), (40, 1), until=44)
    first = day_of(START)
    assert [(d.number - first, d.openings, d.open, d.polled_time) for d in days(found)] == [
        (0, 1, timedelta(hours=4), timedelta(hours=24)),
        (1, 1, timedelta(hours=10), timedelta(hours=20)),
    ]


def test_a_day_on_which_no_one_looked_is_left_out() -> None:
    found = history((0, 1), until=60, blind=((24, 48),))
    assert [day.number - day_of(START) for day in days(found)] == [0, 2]


def test_an_instructor_change_needs_two_names() -> None:
    names = [None, "", "Ann", "Ann", None, "Bob"]
    entries = [HistoryEntry(at(hour), 0, 30, name) for hour, name in enumerate(names)]
    assert instructor_changes(SectionHistory(KEY, entries=entries, observed_until=at(9))) == [
        InstructorChange(at(2), "", "Ann"),
        InstructorChange(at(5), "Ann", "Bob"),
    ]


def entries(*hours: float) -> list[HistoryEntry]:
    return [HistoryEntry(at(hour), number, 30, None) for number, hour in enumerate(hours)]


@pytest.mark.parametrize(
    ("hours", "until", "shown"),
    [
        ((1, 2, 3), 4, (1, 2, 3)),
        ((1, 26, 3), 4, (1, 3, 3)),  # a clock ran a day ahead
        ((1, 2, 27), 4, (1, 2, 4)),
        ((24, 25, 2, 26), 27, (24, 25, 26, 26)),  # a clock ran a day behind
        ((25, 26, 3), 27, (25, 26, 27)),
        ((26, 27), 4, (4, 4)),
        ((1, 1), 1, (1, 1)),
        ((), 4, ()),
    ],
)
def test_times_that_the_others_contradict_become_those_of_the_next(
    hours: tuple[float, ...], until: float, shown: tuple[float, ...]
) -> None:
    found = in_sequence(entries(*hours), at(until))
    assert [each.observed_at for each in found] == [at(hour) for hour in shown]
    assert [each.stamp for each in found] == [at(hour) for hour in hours]


@given(st.lists(st.integers(-50, 50), max_size=12), st.integers(-50, 50))
def test_a_history_never_goes_back_in_time_nor_beyond_the_last_observation(
    hours: list[int], until: int
) -> None:
    found = in_sequence(entries(*hours), at(until))
    times = [each.observed_at for each in found]
    assert times == sorted(times)
    assert all(time <= at(until) for time in times)
    assert [each.open_seats for each in found] == list(range(len(hours)))
    if hours == sorted(hours) and all(hour <= until for hour in hours):
        assert times == [at(hour) for hour in hours]
