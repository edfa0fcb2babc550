"""The system clock, the default implementation of the clock port."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The current time by this host's clock."""

    def now(self) -> datetime:
        """Return the current time: aware, in UTC, in whole milliseconds as the tables store it."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
