from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.crontab import CrontabTrigger

MINUTE = timedelta(minutes=1)
NAMES = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


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
