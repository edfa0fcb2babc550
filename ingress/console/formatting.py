"""Formats values for people: short, exact, and never zero for unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.text import format_duration, number, plural
from observability.checks.snapshot import Unavailable
from resilience.lease import LeaseHolder
from store.database import from_ms

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(at: datetime) -> str:
    """Format `at` in UTC, such as "22 Nov 08:21:36"."""
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at:%H:%M:%S}"


def iso(at: datetime) -> str:
    """Format `at` for machines, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


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
    "seconds": format_duration,
    "plural": plural,
    "later": later,
    "holder": holder,
    "from_ms": from_ms,
}
