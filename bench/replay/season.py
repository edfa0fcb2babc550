"""A recorded season: the reading of each section at any moment, and the moments of its checks.

Times are Unix milliseconds, as in the recording.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

TERM = "S122"
DAY_MS = 86_400_000
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Reading:
    """A section in the catalog: raw figures, which may be negative; "Staff" stands for no instructor."""

    course: str
    code: str
    instructor: str
    seats_available: int
    seats_capacity: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The readings of one section and the start time of each, oldest first."""

    times_ms: tuple[int, ...]
    readings: tuple[Reading, ...]

    def at(self, time_ms: int) -> Reading | None:
        """The last reading at or before `time_ms`; None while the section is not in the catalog."""
        index = bisect_right(self.times_ms, time_ms)
        return self.readings[index - 1] if index else None


Season = dict[str, Timeline]


@dataclass(frozen=True, slots=True)
class Check:
    """One round through the sections of one parity, at a moment of the season."""

    time_ms: int
    stagger: str

    def covers(self, section: str) -> bool:
        """Whether the last digit of `section` puts it in this round."""
        return is_even(section) == (self.stagger == "even")


def is_even(section: str) -> bool:
    """Whether the last digit of `section` is even."""
    return int(section[-1]) % 2 == 0


def load(path: Path) -> Season:
    """The timelines of the recording at `path` (gzipped CSV, rows in the order of time), by section."""
    found: dict[str, tuple[list[int], list[Reading]]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            times_ms, readings = found.setdefault(row["section_id"], ([], []))
            times_ms.append(int(row["observed_at_ms"]))
            readings.append(_reading(row))
    return {section: Timeline(tuple(times), tuple(readings)) for section, (times, readings) in found.items()}


def first_midnight_ms(season: Season) -> int:
    """Midnight (UTC) before the first poll: where day 1 begins."""
    first_ms = min(timeline.times_ms[0] for timeline in season.values())
    return first_ms - first_ms % DAY_MS


def schedule(start_ms: int, days: float, cadence_minutes: int) -> list[Check]:
    """The checks of `days` days: even sections first, odd ones half a cadence later, and so on."""
    cadence_ms = cadence_minutes * MINUTE_MS
    starts = range(start_ms, start_ms + round(days * DAY_MS), cadence_ms)
    return [check for start in starts for check in _pair(start, cadence_ms)]


def _pair(start_ms: int, cadence_ms: int) -> tuple[Check, Check]:
    return Check(start_ms, "even"), Check(start_ms + cadence_ms // 2, "odd")


def _reading(row: dict[str, str]) -> Reading:
    return Reading(
        course=row["course"],
        code=row["section_code"],
        instructor=row["instructor"],
        seats_available=int(row["seats_available"]),
        seats_capacity=int(row["seats_capacity"]),
    )
