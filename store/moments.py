"""Times as the tables hold them: whole milliseconds since the epoch, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

TOLERANCE = timedelta(minutes=1)
"""What the clocks of two hosts may differ by; a time further ahead was stamped by a wrong one."""


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, exact; `moment` must be aware."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(moment_ms: int) -> datetime:
    """The aware UTC time of `moment_ms`."""
    return _EPOCH + moment_ms * _MILLISECOND


def from_ms_or_none(moment_ms: int | None) -> datetime | None:
    """As `from_ms`, for a time that may not have come yet."""
    return None if moment_ms is None else from_ms(moment_ms)
