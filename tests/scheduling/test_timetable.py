from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.section import Stagger
from scheduling.timetable import Timetable

HALF_HOURS = Timetable(even="0 * * * *", odd="30 * * * *")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "half", "slot"),
    [
        ("2026-01-15 09:00:00", Stagger.EVEN, "2026-01-15 09:00"),
        ("2026-01-15 09:29:59", Stagger.EVEN, "2026-01-15 09:00"),
        ("2026-01-15 09:30:00", Stagger.ODD, "2026-01-15 09:30"),
        ("2026-01-15 08:59:59", Stagger.ODD, "2026-01-15 08:30"),
    ],
)
def test_the_current_half_is_the_one_that_was_due_last(now: str, half: Stagger, slot: str) -> None:
    assert HALF_HOURS.current(at(now)) is half
    assert HALF_HOURS.slot(half, at(now)) == at(slot)


def test_all_sections_have_the_slot_of_the_half_that_was_due_last() -> None:
    assert HALF_HOURS.slot(Stagger.ALL, at("2026-01-15 09:31")) == at("2026-01-15 09:30")


def test_two_halves_that_are_due_at_once_are_all_sections() -> None:
    together = Timetable(even="*/5 * * * *", odd="*/5 * * * *")
    assert together.current(at("2026-01-15 09:07")) is Stagger.ALL


def test_the_rarest_expression_has_a_slot() -> None:
    leap = Timetable(even="0 0 29 2 *", odd="30 * * * *")
    assert leap.slot(Stagger.EVEN, at("2027-01-01 00:00")) == at("2024-02-29 00:00")


@given(
    st.integers(0, 365 * 86_400).map(lambda seconds: at("2026-01-01") + timedelta(seconds=seconds)),
    st.sampled_from(["* * * * *", "*/7 * * * *", "15 3 * * *", "0 12 * * 1", "0 0 1 * *"]),
)
def test_a_slot_is_the_last_time_not_after_now(now: datetime, expression: str) -> None:
    table = Timetable(even=expression, odd="30 * * * *")
    slot = table.slot(Stagger.EVEN, now)
    following = table.triggers[Stagger.EVEN].next(slot)
    assert slot <= now < following


def test_whole_intervals_are_counted_back_from_the_current_slot() -> None:
    assert HALF_HOURS.slot_before(Stagger.ALL, at("2026-01-15 09:31"), 2) == at("2026-01-15 08:30")
    assert HALF_HOURS.slot_before(Stagger.EVEN, at("2026-01-15 09:31"), 2) == at("2026-01-15 07:00")
    weekdays = Timetable(even="0 8 * * 1-5", odd="0 8 * * 1-5")
    assert weekdays.slot_before(Stagger.ALL, at("2026-01-19 09:00"), 1) == at("2026-01-16 08:00")


def test_the_next_slot_is_the_earlier_of_both_halves_and_never_now() -> None:
    assert HALF_HOURS.next_slot(at("2026-01-15 09:10")) == at("2026-01-15 09:30")
    assert HALF_HOURS.next_slot(at("2026-01-15 09:30")) == at("2026-01-15 10:00")
