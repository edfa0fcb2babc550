"""Counting in memory: a few dictionary look-ups an event and no round trip; what was counted is taken away.

A count's name is its family's and its labels, put together with tabs; a histogram has one for each bucket
and one for the sum. All counts are whole numbers (durations in microseconds), so that sums stay exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

_SUM = "sum"
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Counter:
    """A family of counters; `name` is without its `_total`. Of seconds, it counts in microseconds."""

    name: str
    help: str
    labels: tuple[str, ...]
    is_seconds: bool = False

    def key(self, *values: str) -> str:
        """The count's name for these labels."""
        return "\t".join((self.name, *values))

    def value(self, counts: Mapping[str, int], *values: str) -> float:
        """What was counted under these labels, in the family's unit."""
        count = counts.get(self.key(*values), 0)
        return count / _MICRO if self.is_seconds else float(count)


@dataclass(frozen=True)
class Histogram:
    """A family of histograms of durations; `bounds_seconds` are the buckets' upper ends, without infinity."""

    name: str
    help: str
    labels: tuple[str, ...]
    bounds_seconds: tuple[float, ...]

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """The buckets' upper ends, as Prometheus writes them."""
        return (*map(repr, self.bounds_seconds), "+Inf")

    def key(self, *values: str, part: str) -> str:
        """The name of one bucket's count, or of the sum's."""
        return "\t".join((self.name, *values, part))

    def buckets(self, counts: Mapping[str, int], *values: str) -> list[tuple[str, float]]:
        """Each bucket's end, and how many durations were not above it."""
        found, total = [], 0
        for end in self.ends:
            total += counts.get(self.key(*values, part=end), 0)
            found.append((end, float(total)))
        return found

    def sum_seconds(self, counts: Mapping[str, int], *values: str) -> float:
        """All durations together."""
        return counts.get(self.key(*values, part=_SUM), 0) / _MICRO


class Recorder:
    """What this process has counted since it was last taken; threads may count at the same time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, int] = {}

    def add(self, counter: Counter, *labels: str, n: int = 1) -> None:
        """Count `n` events."""
        self._add({counter.key(*labels): n})

    def add_seconds(self, counter: Counter, *labels: str, seconds: float) -> None:
        """Count time that was spent."""
        self._add({counter.key(*labels): round(seconds * _MICRO)})

    def observe(self, histogram: Histogram, *labels: str, seconds: float) -> None:
        """Count one duration; a negative one, as of clocks that disagree, counts as none at all."""
        self.observe_all(histogram, *labels, seconds=[seconds])

    def observe_all(self, histogram: Histogram, *labels: str, seconds: Iterable[float]) -> None:
        """As `observe`, of many at once."""
        buckets: dict[str, int] = {}
        total_seconds = 0.0
        for each in seconds:
            end = histogram.ends[bisect_left(histogram.bounds_seconds, each)]
            buckets[end] = buckets.get(end, 0) + 1
            total_seconds += max(0.0, each)
        counts = {histogram.key(*labels, part=end): n for end, n in buckets.items()}
        self._add({**counts, histogram.key(*labels, part=_SUM): round(total_seconds * _MICRO)})

    def take(self) -> dict[str, int]:
        """What was counted, by name; it is counted anew from then on."""
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken

    def _add(self, increments: Mapping[str, int]) -> None:
        with self._lock:
            for key, n in increments.items():
                self._counts[key] = self._counts.get(key, 0) + n


class CounterTotals:
    """Hands a tally on, exactly once: an entry that failed is repeated as it was before the next is made.

    One thread at a time flushes; another that wants to waits.
    """

    def __init__(self, tally: Recorder, enter: Callable[[int, Mapping[str, int]], None]) -> None:
        self._tally = tally
        self._enter = enter
        self._lock = Lock()
        self._number = 0
        self._pending: dict[str, int] = {}

    def flush(self) -> None:
        """Enter what was counted, if anything was. Raises what `enter` does; call it again later."""
        with self._lock:
            if not self._pending:
                self._pending = self._tally.take()
                self._number += 1
            if self._pending:
                self._enter(self._number, self._pending)
                self._pending = {}
