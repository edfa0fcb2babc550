from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.text import format_duration, number, plural
from ingress.console.formatting import iso, moment

AT = datetime(2026, 11, 22, 8, 1, 36, 999_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0, "0 s"),
        (0.08, "80 ms"),
        (1.84, "1.8 s"),
        (2.0, "2 s"),
        (42.4, "42 s"),
        (60, "1 min"),
        (250, "4 min 10 s"),
        (3600, "1 h"),
        (3 * 3600 + 59 * 60 + 59, "3 h 59 min"),
        (timedelta(days=2, hours=3, minutes=4), "2 d 3 h"),
    ],
)
def test_a_length_of_time_is_reported_in_its_two_largest_units(length: float | timedelta, text: str) -> None:
    assert format_duration(length) == text


def test_moments_are_utc_wherever_they_come_from() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=-7)))
    assert moment(elsewhere) == moment(AT) == "22 Nov 08:01:36"
    assert iso(elsewhere) == "2026-11-22T08:01:36Z"


def test_thousands_are_apart_and_nouns_agree() -> None:
    assert number(1234567) == "1\u202f234\u202f567"
    assert [plural(n, "watch", "watches") for n in (0, 1, 2)] == ["0 watches", "1 watch", "2 watches"]
    assert plural(2, "mail") == "2 mails"
