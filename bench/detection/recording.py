"""A recorded season as seats over time, variants of it, and what checks of it detect.

Times are hours since the Unix epoch, as in `domain.check_schedule`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.replay.season import load

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class SeatTimeline:
    """The seats of one section and the time from which each value holds, oldest first."""

    times: tuple[float, ...]
    seats: tuple[int, ...]

    def shifted(self, hours: float) -> SeatTimeline:
        """Return the same changes, that much later."""
        return SeatTimeline(tuple(time + hours for time in self.times), self.seats)

    def openings(self) -> Iterator[float]:
        """Yield the time of each row with seats whose predecessor has none."""
        for before, after, time in zip(self.seats, self.seats[1:], self.times[1:], strict=False):
            if before <= 0 < after:
                yield time


@dataclass(frozen=True, slots=True)
class Recording:
    """The timelines of all sections, by number, and the time of the first and the last row."""

    sections: dict[str, SeatTimeline]
    start: float = field(init=False)
    end: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", min(each.times[0] for each in self.sections.values()))
        object.__setattr__(self, "end", max(each.times[-1] for each in self.sections.values()))

    @property
    def middle(self) -> float:
        """Return the time at which the second half begins."""
        return (self.start + self.end) / 2

    def resampled(self, random: Random) -> Recording:
        """Return as many sections, drawn at random with replacement."""
        drawn = random.choices(sorted(self.sections.items()), k=len(self.sections))
        return Recording({f"{copy}-{number}": each for copy, (number, each) in enumerate(drawn)})

    def shifted(self, random: Random, hours: int) -> Recording:
        """Return a season in which each section is shifted by a random number of hours up to `hours`."""
        sections = self.sections.items()
        return Recording({number: each.shifted(random.randrange(hours)) for number, each in sections})


def read(path: Path) -> Recording:
    """The recording at `path`."""
    return Recording(
        {
            section: SeatTimeline(
                tuple(time / HOUR_MS for time in timeline.times_ms),
                tuple(reading.seats_available for reading in timeline.readings),
            )
            for section, timeline in load(path).items()
        }
    )


@dataclass(frozen=True, slots=True)
class Detection:
    """An opening that a check has detected: when it began, and how much later the check was."""

    opened_at: float
    delay: float


@dataclass(slots=True)
class Replay:
    """Answers checks from `recording`, and records what they detect.

    A check detects the opening in progress if it finds seats where the section's previous check found none:
    that is what the product announces. `max_interval` is the longest time between two checks of a section.
    """

    recording: Recording
    requests: int = 0
    max_interval: float = 0.0
    detections: list[Detection] = field(default_factory=list)
    _last: dict[str, tuple[float, int]] = field(default_factory=dict)

    def check(self, section: str, now: float) -> int | None:
        """Return the seats at `now`, at least 0; None while the section is not in the catalog."""
        self.requests += 1
        timeline = self.recording.sections[section]
        index = bisect_right(timeline.times, now) - 1
        if index < 0:
            return None
        seats = max(0, timeline.seats[index])
        if section in self._last:
            checked_at, before = self._last[section]
            self.max_interval = max(self.max_interval, now - checked_at)
            if before == 0 < seats:
                self.detections.append(self._detect(timeline, index, now))
        self._last[section] = (now, seats)
        return seats

    @staticmethod
    def _detect(timeline: SeatTimeline, index: int, now: float) -> Detection:
        while timeline.seats[index - 1] > 0:
            index -= 1
        return Detection(timeline.times[index], now - timeline.times[index])
