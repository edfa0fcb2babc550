"""Formats values for people: short, exact, and never zero for unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from observability.checks.snapshot import Unavailable
from resilience.lease import LeaseHolder
from store.database import from_ms

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_FEW_SECONDS = 10


def moment(at: datetime) -> str:
    """Format `at` in UTC, such as "22 Nov 08:21:36"."""
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at:%H:%M:%S}"


def iso(at: datetime) -> str:
    """Format `at` for machines, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def number(count: float) -> str:
    """Format a whole number with thousands separators."""
    return f"{count:,.0f}".replace(",", NARROW_SPACE)


def seconds(length: float | timedelta) -> str:
    """Format a duration in its two largest units: "80 ms", "1.8 s", "4 min 10 s" or "2 d 3 h"."""
    total = length.total_seconds() if isinstance(length, timedelta) else length
    if 0 < total < 1:
        return f"{total * 1000:.0f} ms"
    if total < _FEW_SECONDS:
        return f"{total:.1f} s".replace(".0 ", " ")
    whole = round(total)
    for size, unit, smaller, smaller_unit in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
    return f"{whole} s"


def plural(count: int, one: str, several: str = "") -> str:
    """Format a count and its noun: "1 watch", "2 watches"."""
    return f"{number(count)} {one if count == 1 else several or f'{one}s'}"


def later(now: datetime, seconds: float) -> datetime:
    """Return the time `seconds` after `now`."""
    return now + timedelta(seconds=seconds)


def holder(found: LeaseHolder) -> str:
    """Return the holder of a lease."""
    return ", ".join(f"{key} {value}" for key, value in found.holder.items()) or found.token


def is_unread(value: Any) -> bool:
    """Return whether `value` stands for a reading that failed."""
    return isinstance(value, Unavailable)


FILTERS: Mapping[str, Callable[..., object]] = {
    "moment": moment,
    "iso": iso,
    "number": number,
    "seconds": seconds,
    "plural": plural,
    "later": later,
    "holder": holder,
    "from_ms": from_ms,
}
