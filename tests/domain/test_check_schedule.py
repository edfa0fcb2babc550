from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.check_schedule import (
    MAX_INTERVAL_HOURS,
    CheckSchedule,
    SectionActivity,
    SourceActivity,
)

TICK = 1 / 60
NOON = 12.0


def schedule(requests: float) -> CheckSchedule:
    """A schedule that may spend so many requests at noon."""
    return CheckSchedule(SourceActivity(allowance=requests, planned_at=NOON))


def known(open_seats: int | None, ago: float = 1.0) -> SectionActivity:
    """A section that was last checked so many hours before noon."""
    return SectionActivity(open_seats, NOON - ago, NOON - ago)


def choose(requests: float, sections: Sequence[SectionActivity]) -> list[int]:
    """The places of the sections that are chosen at noon."""
    chosen = schedule(requests).choose(sections, NOON, NOON + TICK)
    return [next(i for i, each in enumerate(sections) if each is one) for one in chosen]


def test_a_section_that_was_never_checked_goes_first_even_beyond_the_allowance() -> None:
    assert choose(0, [known(0, 2.0), SectionActivity()]) == [1]


def test_without_observations_the_least_recently_checked_closed_section_goes_first() -> None:
    assert choose(2, [known(0, 0.5), known(0, 1.5), known(0, 1.0)]) == [1, 2]


def test_an_open_section_with_few_seats_goes_before_one_with_many() -> None:
    assert choose(1, [known(30), known(2)]) == [1]


def test_a_closed_section_goes_before_an_open_one() -> None:
    assert choose(1, [known(2), known(0)]) == [1]


def test_a_section_that_the_catalog_does_not_list_goes_last() -> None:
    assert choose(2, [known(None, 2.5), known(300), known(0)]) == [2, 1]


def test_a_section_that_opens_often_goes_before_one_that_does_not() -> None:
    often = SectionActivity(0, NOON - 1, NOON - 1, openings=5.0, exposure=100.0)
    rarely = SectionActivity(0, NOON - 1, NOON - 1, openings=0.0, exposure=100.0)
    assert choose(1, [rarely, often]) == [1]


def test_a_section_that_has_just_closed_goes_before_one_that_closed_long_ago() -> None:
    just = SectionActivity(0, NOON - 0.2, NOON - 0.2, changed_at=NOON - 0.2)
    long_ago = SectionActivity(0, NOON - 0.2, NOON - 0.2, changed_at=NOON - 9)
    assert choose(1, [long_ago, just]) == [1]


def test_open_sections_are_checked_after_the_hour_in_which_they_close() -> None:
    found = schedule(1)
    for day in range(30):
        found.source.closings.add(day * 24 + 10.0, day * 24 + 10.9)
    opened, closed = known(1, 2.2), known(0, 2.2)
    assert found.choose([opened, closed], NOON, NOON + TICK) == [opened]


def test_a_section_that_is_nearly_overdue_is_checked_beyond_the_allowance_and_later_choices_pay() -> None:
    found, overdue = schedule(0), [known(300, MAX_INTERVAL_HOURS - TICK / 2) for _ in range(3)]
    assert found.choose([known(0), *overdue], NOON, NOON + TICK) == overdue
    assert found.source.allowance == -3


def test_a_section_whose_last_check_is_ahead_of_the_clock_is_checked() -> None:
    assert choose(0, [known(0, -5.0), known(0)]) == [0]


def test_a_failed_check_counts_as_a_check() -> None:
    found, section = schedule(1), known(0)
    assert found.choose([section], NOON, NOON + TICK) == [section]
    assert (section.checked_at, section.answered_at) == (NOON, NOON - 1)


def test_a_section_that_has_not_answered_for_too_long_is_checked_every_half_hour() -> None:
    def silent(ago: float) -> SectionActivity:
        return SectionActivity(300, checked_at=NOON - ago, answered_at=NOON - MAX_INTERVAL_HOURS)

    assert choose(0, [silent(0.4), silent(0.6), known(0, 0.6)]) == [1]


def test_an_answer_is_recorded_once() -> None:
    found, section = schedule(0), known(0)
    for _ in range(2):
        found.record(section, 3, NOON)
    assert (section.openings, found.source.burst, section.changed_at) == (1.0, 1.0, NOON)


def test_the_first_answer_changes_nothing() -> None:
    found, section = schedule(0), SectionActivity()
    found.record(section, 3, NOON)
    assert (section.open_seats, section.answered_at, section.changed_at) == (3, NOON, None)


def test_a_section_that_leaves_the_catalog_has_not_closed() -> None:
    found, section = schedule(0), known(3)
    found.record(section, None, NOON)
    assert (section.open_seats, section.changed_at) == (None, None)
    assert sum(found.source.closings.counts) == 0


def test_a_burst_of_openings_is_checked_faster() -> None:
    calm, burst = schedule(0), schedule(0)
    for _ in range(8):
        burst.record(known(0), 1, NOON)
    sections = [known(0) for _ in range(10)]
    assert burst.next_choice(sections, NOON) < calm.next_choice(sections, NOON)


def test_the_next_choice_is_when_a_request_can_be_spent() -> None:
    found, sections = schedule(0), [known(0) for _ in range(10)]
    due = found.next_choice(sections, NOON)
    assert NOON + 0.05 < due < NOON + 0.2
    assert found.choose(sections, due - TICK, due) == []
    assert len(found.choose(sections, due + TICK, due + 2 * TICK)) == 1


def test_the_next_choice_is_before_a_section_is_overdue_and_within_an_hour() -> None:
    found = schedule(-5)
    assert found.next_choice([known(0, 2.75)], NOON) == NOON + 0.25
    assert found.next_choice([known(0)], NOON) == NOON + 1
    assert found.next_choice([], NOON) == NOON + 1


def test_time_in_which_nothing_was_chosen_saves_an_hour_at_most() -> None:
    found, sections = schedule(0), [known(0, 0.0) for _ in range(100)]
    found.choose(sections, NOON + 2.0, NOON + 2.0 + TICK)
    assert found.source.saved <= 100
    found.choose(sections, NOON - 100, NOON - 100 + TICK)  # the clock was set back
    assert found.source.saved <= 100


@settings(max_examples=10, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 4)), max_size=60),
    closed=st.integers(0, 20),
)
def test_days_cost_at_most_24_requests_for_each_section_and_none_waits_for_too_long(
    changes: list[tuple[int, int]], closed: int
) -> None:
    found, sections = CheckSchedule(), [SectionActivity() for _ in range(20)]
    seats, spent, longest, pending = [0] * closed + [5] * (20 - closed), 0, 0.0, iter(changes)
    for tick in range(3 * 24 * 60):
        now = 1000 + tick * TICK
        if tick % 60 == 30 and (change := next(pending, None)):
            seats[change[0]] = change[1]
        before = {id(section): section.checked_at for section in sections}
        for section in found.choose(sections, now, now + 2 * TICK):
            longest = max(longest, now - (before[id(section)] or now))
            found.record(section, seats[sections.index(section)], now)
            spent += 1
    assert spent <= 20 * 3 * 24 * 1.02
    assert longest <= MAX_INTERVAL_HOURS


def test_busy_hours_get_more_of_the_budget() -> None:
    found = schedule(0)
    for _ in range(100):
        found.source.openings.add(NOON, NOON)
    sections = [known(0) for _ in range(10)]
    busy, calm = found.next_choice(sections, NOON) - NOON, found.next_choice(sections, 3.0) - 3.0
    assert busy < calm / 2
    assert busy == pytest.approx(0.03, abs=0.01)
