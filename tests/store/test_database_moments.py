from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.database import from_ms, from_ms_or_none, to_ms

MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(st.integers(min_value=-(10**13), max_value=10**14))
def test_milliseconds_come_back_as_they_were(moment_ms: int) -> None:
    assert to_ms(from_ms(moment_ms)) == moment_ms


@given(MOMENTS)
def test_a_time_loses_less_than_a_millisecond_and_never_moves_forward(moment: datetime) -> None:
    assert timedelta(0) <= moment - from_ms(to_ms(moment)) < timedelta(milliseconds=1)


@given(MOMENTS, MOMENTS)
def test_order_is_kept(first: datetime, second: datetime) -> None:
    if first <= second:
        assert to_ms(first) <= to_ms(second)


def test_the_same_moment_in_another_zone_is_the_same() -> None:
    there = datetime(2026, 1, 15, 1, 0, tzinfo=timezone(timedelta(hours=-8)))
    assert to_ms(there) == to_ms(datetime(2026, 1, 15, 9, 0, tzinfo=UTC)) == 1_768_467_600_000


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        to_ms(datetime(2026, 1, 15, 9, 0))  # noqa: DTZ001 - the point of the test


def test_what_has_not_come_stays_none() -> None:
    assert from_ms_or_none(None) is None
    assert from_ms_or_none(0) == datetime(1970, 1, 1, tzinfo=UTC)
