"""Formats values for people: short, exact, and never zero for unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.text import MONTHS, format_duration, number, plural
from observability.checks.snapshot import Unavailable
from store.database import from_ms


def moment(at: datetime) -> str:
    """Format `at` in UTC, such as "22 Nov 08:21:36"."""
    at = at.astimezone(UTC)
    return f"{at.day} {MONTHS[at.month - 1]} {at:%H:%M:%S}"


def iso(at: datetime) -> str:
    """Format `at` for machines, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def later(now: datetime, seconds: float) -> datetime:
    """Return the time `seconds` after `now`."""
    return now + timedelta(seconds=seconds)


def is_unread(value: Any) -> bool:
    """Return whether `value` stands for a reading that failed."""
    return isinstance(value, Unavailable)


FILTERS: Mapping[str, Callable[..., object]] = {
    "moment": moment,
    "iso": iso,
    "number": number,
    "seconds": format_duration,
    "plural": plural,
    "later": later,
    "from_ms": from_ms,
}
