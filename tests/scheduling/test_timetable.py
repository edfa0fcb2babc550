from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.section import Stagger
from scheduling.timetable import CrontabTrigger, Timetable

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


MINUTE = timedelta(minutes=1)
NAMES = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def values(field: str, lowest: int, highest: int) -> set[int]:
    """The numbers that a field names, by the manual crontab(5)."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = (lowest, "", highest) if span == "*" else span.partition("-")
        start = NAMES.get(str(first).lower(), first)
        end = NAMES.get(str(last).lower(), last) if last else start
        found |= set(range(int(start), int(end) + 1, int(step or 1)))
    return found


def matches(expression: str, time: datetime) -> bool:
    """Whether cron runs a line with this expression in the minute of `time`, by the manual crontab(5)."""
    fields = expression.split()
    minutes, hours, days, months, weekdays = (
        values(field, *limits) for field, limits in zip(fields, LIMITS, strict=True)
    )
    is_day, is_weekday = time.day in days, time.isoweekday() % 7 in {day % 7 for day in weekdays}
    is_either = not fields[2].startswith("*") and not fields[4].startswith("*")
    return (
        time.minute in minutes
        and time.hour in hours
        and time.month in months
        and (is_day or is_weekday if is_either else is_day and is_weekday)
    )


@st.composite
def fields(draw: st.DrawFn, lowest: int, highest: int) -> str:
    def part() -> str:
        first = draw(st.integers(lowest, highest))
        last = draw(st.integers(first, highest))
        step = draw(st.integers(1, 9))
        stepped = f"{first}-{last}/{step}" if first < last else str(first)  # CronSim reads 0-0/5 as 0/5
        return draw(st.sampled_from([str(first), f"{first}-{last}", stepped]))

    star = st.sampled_from(["*", "*", f"*/{draw(st.integers(1, 9))}"])
    return draw(star) if draw(st.booleans()) else ",".join(part() for _ in range(draw(st.integers(1, 3))))


# Day and month stay open where that keeps an expression from never firing.
EXPRESSIONS = st.tuples(
    fields(0, 59), fields(0, 23), fields(1, 28), st.just("*"), st.one_of(fields(0, 7), st.just("mon-fri"))
).map(" ".join)
MOMENTS = st.integers(0, 3 * 365 * 86_400_000).map(lambda ms: at("2026-01-01") + timedelta(milliseconds=ms))


@given(EXPRESSIONS, MOMENTS)
def test_it_fires_in_each_minute_that_cron_names_and_in_no_other(expression: str, now: datetime) -> None:
    trigger = CrontabTrigger(expression)
    first = trigger.next(now)
    assert matches(expression, first)
    assert first > now
    minute = now.replace(second=0, microsecond=0)
    skipped = min(first, minute + timedelta(days=2))
    while (minute := minute + MINUTE) < skipped:
        assert not matches(expression, minute)


@given(EXPRESSIONS, MOMENTS)
def test_the_latest_time_is_the_one_after_which_the_next_is_ahead(expression: str, now: datetime) -> None:
    trigger = CrontabTrigger(expression)
    latest = trigger.latest(now)
    assert latest <= now < trigger.next(latest)
    assert trigger.latest(latest) == latest


@pytest.mark.parametrize(
    ("expression", "now", "following"),
    [
        ("0 9 * * 1-5", "2026-01-16 10:00", "2026-01-19 09:00"),  # Friday, then Monday
        ("0 9 * * 0", "2026-01-16 10:00", "2026-01-18 09:00"),
        ("0 9 * * 7", "2026-01-16 10:00", "2026-01-18 09:00"),
        ("0 9 * * SUN", "2026-01-16 10:00", "2026-01-18 09:00"),
        ("0 9 * feb mon-fri/2", "2026-02-02 10:00", "2026-02-04 09:00"),
        ("0 9 13 * 5", "2026-01-10 10:00", "2026-01-13 09:00"),  # the 13th or a Friday
        ("0 9 13 * 5", "2026-01-13 10:00", "2026-01-16 09:00"),
        ("0 9 */2 * 1", "2026-01-11 10:00", "2026-01-19 09:00"),  # an odd day that is a Monday
        ("5-59/20 * * * *", "2026-01-16 10:06", "2026-01-16 10:25"),
        ("0 0 31 2 1", "2026-01-31 10:00", "2026-02-02 00:00"),
    ],
)
def test_it_has_the_meaning_of_crontab(expression: str, now: str, following: str) -> None:
    assert CrontabTrigger(expression).next(at(now)) == at(following)


@pytest.mark.parametrize(
    "expression",
    ["", "often", "* * * *", "0 * * * * *", "61 * * * *", "0 0 * * 8", "0 0 * * fri-mon", "0 0 31 2 *"],
)
def test_what_is_no_crontab_expression_or_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        CrontabTrigger(expression)


def test_a_scheduler_gets_the_next_time_after_the_previous_one() -> None:
    trigger = CrontabTrigger("0 * * * *")
    now = at("2026-01-15 09:00")
    assert trigger.get_next_fire_time(None, now) == now
    assert trigger.get_next_fire_time(now, now) == at("2026-01-15 10:00")
    assert trigger.get_next_fire_time(at("2026-01-15 06:00"), now) == at("2026-01-15 07:00")


def test_a_previous_time_ahead_of_a_clock_that_was_set_back_does_not_count() -> None:
    trigger = CrontabTrigger("0 * * * *")
    assert trigger.get_next_fire_time(at("2026-01-16 09:00"), at("2026-01-15 09:10")) == at(
        "2026-01-15 10:00"
    )
