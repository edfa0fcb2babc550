from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from domain.text import clock_time, format_time, invisible

WINTER, SUMMER = datetime(2026, 1, 15, 4, 30, tzinfo=UTC), datetime(2026, 7, 15, 4, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "zone", "text"),
    [
        (WINTER, "UTC", "15 Jan 2026, 04:30 UTC"),
        (WINTER, "America/Los_Angeles", "14 Jan 2026, 20:30 PST"),
        (SUMMER, "America/Los_Angeles", "14 Jul 2026, 21:30 PDT"),
        (WINTER, "America/Sao_Paulo", "15 Jan 2026, 01:30 UTC-03:00"),
        (WINTER, "Asia/Kathmandu", "15 Jan 2026, 10:15 UTC+05:45"),
    ],
)
def test_a_moment_is_reported_in_its_zone(at: datetime, zone: str, text: str) -> None:
    assert format_time(at, ZoneInfo(zone)) == text


def test_without_a_zone_it_is_utc() -> None:
    assert format_time(WINTER) == "15 Jan 2026, 04:30 UTC"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a b", None),
        ("", None),
        ("é", None),
        ("a\u200bb", "contains an invisible character (U+200B)"),
        ("a\nb", "contains an invisible character (U+000A)"),
        ("a\u2028", "contains an invisible character (U+2028)"),
        ("\u00a0a", "contains an invisible character (U+00A0)"),
    ],
)
def test_an_invisible_character_is_named(text: str, wrong: str | None) -> None:
    assert invisible(text) == wrong


@pytest.mark.parametrize(
    ("digits", "text"),
    [("0000", "12:00 AM"), ("0830", "8:30 AM"), ("1200", "12:00 PM"), ("1740", "5:40 PM"), ("TBA", "TBA")],
)
def test_a_time_in_digits_is_displayed_with_12_hours(digits: str, text: str) -> None:
    assert clock_time(digits) == text
