"""The system's clock, as the port that everything takes its time from."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The present by this host's clock."""

    def now(self) -> datetime:
        """The present, aware, in UTC, in whole milliseconds as the tables hold it."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
