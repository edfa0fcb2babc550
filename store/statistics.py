"""Statistics over time, summed up for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from store.database import Database, from_ms, to_ms
from store.schema import notifications, runs, section_history

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Hour:
    """The counts of the hour from `start`; an opening is the first seat in a section that was full."""

    start: datetime
    checks: int
    failed: int
    openings: int


@dataclass(frozen=True, slots=True)
class Latency:
    """The time from observing a change to handing over its mail, and the number of mails.

    Shape: both times are None without mail. They include the cooldown.
    """

    mails: int
    p50_seconds: float | None
    p99_seconds: float | None


class Statistics:
    """Sums over `runs`, `section_history` and `notifications`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hours(self, now: datetime, count: int = 24) -> list[Hour]:
        """The last `count` hours by the clock, this one included, the oldest first."""
        last = to_ms(now) // _HOUR_MS
        first = last - count + 1
        with self._database.read() as connection:
            checked, failed = _checks(connection, first)
            openings = _openings(connection, first)
        return [
            Hour(from_ms(hour * _HOUR_MS), checked[hour], failed[hour], openings[hour])
            for hour in range(first, last + 1)
        ]

    def latency(self, now: datetime, window: timedelta = timedelta(days=1)) -> Latency:
        """The latency of the mails sent within `window`."""
        columns = notifications.c
        took = (columns.sent_at_ms - columns.observed_at_ms).label("took")
        query = select(took).where(columns.sent_at_ms > to_ms(now - window)).order_by("took")
        with self._database.read() as connection:
            found = list(connection.execute(query).scalars())
        return Latency(len(found), _quantile(found, 0.50), _quantile(found, 0.99))


def _checks(connection: Connection, first_hour: int) -> tuple[Counter[int], Counter[int]]:
    checked, failed = Counter[int](), Counter[int]()
    query = select(runs.c.created_at_ms, runs.c.checked, runs.c.failed).where(
        runs.c.created_at_ms >= first_hour * _HOUR_MS
    )
    for at_ms, n_checked, n_failed in connection.execute(query):
        checked[at_ms // _HOUR_MS] += n_checked
        failed[at_ms // _HOUR_MS] += n_failed
    return checked, failed


def _openings(connection: Connection, first_hour: int) -> Counter[int]:
    columns, earlier = section_history.c, section_history.alias().c
    before = (
        select(earlier.open_seats)
        .where(earlier.section_id == columns.section_id, earlier.id < columns.id)
        .order_by(earlier.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = select(columns.observed_at_ms).where(
        columns.observed_at_ms >= first_hour * _HOUR_MS, columns.open_seats > 0, before == 0
    )
    return Counter(at_ms // _HOUR_MS for at_ms in connection.execute(query).scalars())


def _quantile(ordered_ms: list[int], share: float) -> float | None:
    """The `share` quantile, by nearest rank."""
    if not ordered_ms:
        return None
    return ordered_ms[min(len(ordered_ms) - 1, int(share * len(ordered_ms)))] / 1000
