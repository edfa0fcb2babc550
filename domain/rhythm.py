"""When something happens: how its frequency depends on the hour of the day or the day of the week."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from math import sqrt

HOURS_PER_DAY = 24
DAYS_PER_WEEK = 7
_SPILL = 0.1  # what is near the end of an hour may fall into the next
_MEMORY = 200  # events after which an earlier one has lost most of its weight


@dataclass(slots=True)
class Rhythm:
    """The relative frequency of events in each of the equal parts of a period, in UTC.

    Shape: a part has `width` hours; `prior` events are assumed in each, above 0. `counts` decay with the
    events that follow.
    """

    width: float
    prior: float
    counts: list[float]
    _levels: list[float] = field(init=False)
    _sums: list[float] = field(init=False)
    _mean_root: float = field(init=False)

    def __post_init__(self) -> None:
        self._derive()

    @classmethod
    def daily(cls, counts: list[float] | None = None) -> Rhythm:
        """Return the rhythm of the hours of a day."""
        return cls(1.0, 2.0, counts or [0.0] * HOURS_PER_DAY)

    @classmethod
    def weekly(cls, counts: list[float] | None = None) -> Rhythm:
        """Return the rhythm of the days of a week."""
        return cls(float(HOURS_PER_DAY), 20.0, counts or [0.0] * DAYS_PER_WEEK)

    def add(self, since: float, until: float) -> None:
        """Count one event that happened between the two times, in hours since the epoch."""
        size = len(self.counts)
        self.counts = [count * (1 - 1 / _MEMORY) for count in self.counts]
        for part, share in self._shares(since, until):
            for offset, weight in ((-1, _SPILL), (0, 1 - 2 * _SPILL), (1, _SPILL)):
                self.counts[(part + offset) % size] += share * weight
        self._derive()

    def at(self, now: float) -> float:
        """Return the frequency at `now`; its mean over the period is 1."""
        return self._levels[int(now // self.width) % len(self._levels)]

    def pace(self, now: float) -> float:
        """Return the square root of the frequency at `now`, scaled so that its mean over the period is 1."""
        return sqrt(self.at(now)) / self._mean_root

    def clock(self, now: float) -> float:
        """Return the hours from the epoch to `now`, which pass faster when events are frequent."""
        parts, size = int(now // self.width), len(self._levels)
        rest = (now - parts * self.width) * self._levels[parts % size]
        return (parts // size * size + self._sums[parts % size]) * self.width + rest

    def _shares(self, since: float, until: float) -> list[tuple[int, float]]:
        """Return the parts that the interval covers, each with its share; of one period at most."""
        since = max(since, until - self.width * len(self.counts))
        first, last = int(since // self.width), int(until // self.width)
        if first == last:
            return [(first, 1.0)]
        return [
            (part, (min(until, (part + 1) * self.width) - max(since, part * self.width)) / (until - since))
            for part in range(first, last + 1)
        ]

    def _derive(self) -> None:
        size = len(self.counts)
        total = sum(self.counts) + size * self.prior
        self._levels = [size * (count + self.prior) / total for count in self.counts]
        self._sums = [0.0, *accumulate(self._levels)]
        self._mean_root = sum(map(sqrt, self._levels)) / size
