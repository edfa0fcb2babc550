"""The observed history of a section, and what follows from it: openings and their durations.

An observation holds until the next one, but only while the section was polled. During a blind span its state
is unknown.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise

from domain.observation import Details
from domain.section import SectionKey

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change in a section's history.

    Shape: `stamped_at` is the time that was written down, where others contradict it; None where it is
    `observed_at`.
    """

    observed_at: datetime
    open_seats: int | None
    capacity: int | None
    instructor: str | None
    stamped_at: datetime | None = None

    @property
    def stamp(self) -> datetime:
        """The time that was written down, here and in what it caused."""
        return self.stamped_at or self.observed_at


@dataclass(frozen=True, slots=True)
class ObservedPeriod:
    """From `start` until `end`, which is not part of it."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    def overlap(self, other: ObservedPeriod) -> timedelta:
        """For how long both last."""
        return max(min(self.end, other.end) - max(self.start, other.start), timedelta(0))


@dataclass(frozen=True, slots=True)
class SectionHistory:
    """What is known of `key` in a time.

    Shape: `sightings` are its changes, oldest first; the first one is what was known at the beginning.
    `looked_until` is when it was last looked at, None when it never was; `blind` are the spans before that,
    in their order, in which nobody looked for long.
    """

    key: SectionKey
    details: Details = Details()
    sightings: Sequence[HistoryEntry] = ()
    looked_until: datetime | None = None
    blind: Sequence[ObservedPeriod] = ()

    @property
    def seen(self) -> ObservedPeriod | None:
        """From the first sighting to the last look, blind spans included; None when it was never seen."""
        if not self.sightings or self.looked_until is None:
            return None
        return ObservedPeriod(
            self.sightings[0].observed_at, max(self.looked_until, self.sightings[-1].observed_at)
        )

    @property
    def looked_at(self) -> timedelta:
        """For how long somebody looked."""
        return timedelta(0) if self.seen is None else self.known(self.seen)

    def known(self, span: ObservedPeriod) -> timedelta:
        """How much of `span` is not blind."""
        return span.length - sum((span.overlap(each) for each in self.blind), timedelta(0))

    def held(self) -> Iterator[tuple[HistoryEntry, ObservedPeriod]]:
        """Each sighting, and how long it held; the last one until the last look."""
        if self.seen is None:
            return
        for sighting, following in pairwise(self.sightings):
            yield sighting, ObservedPeriod(sighting.observed_at, following.observed_at)
        last = self.sightings[-1]
        yield last, ObservedPeriod(last.observed_at, self.seen.end)


@dataclass(frozen=True, slots=True)
class Opening:
    """A time with open seats, as far as it was seen.

    Shape: `is_new` unless seats were open when the section was first seen; `has_ended` unless they were open
    at the last look. `is_certain` when nobody looked away for long meanwhile. `most` is the most seats open.
    """

    span: ObservedPeriod
    most: int
    is_new: bool
    has_ended: bool
    is_certain: bool


@dataclass(frozen=True, slots=True)
class InstructorChange:
    """Another instructor than before; "" is nobody yet."""

    at: datetime
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class DailyRollup:
    """What one day (UTC, `number` of it since the epoch) came to: openings that began, and times."""

    number: int
    openings: int
    open: timedelta
    looked_at: timedelta


def in_sequence(sightings: Sequence[HistoryEntry], until: datetime | None) -> list[HistoryEntry]:
    """`sightings`, which come in the order in which they were made, with times in that order too.

    Clocks jump, and a wrong one stamps times that the others contradict. Believed are as many as agree with
    each other and with `until`, the time of the last look; the rest took place at the next believed time.
    """
    believed = _longest_rise([each.observed_at for each in sightings], until)
    ordered: list[HistoryEntry] = []
    at = until
    for index in reversed(range(len(sightings))):
        each = sightings[index]
        if index in believed or at is None:
            at = each.observed_at
            ordered.append(each)
        else:
            ordered.append(replace(each, observed_at=at, stamped_at=each.observed_at))
    return ordered[::-1]


def _longest_rise(times: Sequence[datetime], until: datetime | None) -> set[int]:
    """The places of as many of `times` as never fall and are not after `until`."""
    ends: list[datetime] = []  # the lowest end of a rise of each length, and below it where that is
    places: list[int] = []
    before: dict[int, int | None] = {}
    for place, at in enumerate(times):
        if until is not None and at > until:
            continue
        length = bisect_right(ends, at)
        before[place] = places[length - 1] if length else None
        ends[length:], places[length:] = [at, *ends[length + 1 :]], [place, *places[length + 1 :]]
    found: set[int] = set()
    last = places[-1] if places else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found


def openings(history: SectionHistory) -> list[Opening]:
    """Every opening, oldest first. Seats that nobody told of are no news: what was known stays."""
    told = [(seen.open_seats, span) for seen, span in history.held() if seen.open_seats is not None]
    stretches = [list(group) for _, group in groupby(told, key=lambda each: each[0] > 0)]
    found = []
    for place, stretch in enumerate(stretches):
        span = ObservedPeriod(stretch[0][1].start, stretch[-1][1].end)
        most = max(seats for seats, _ in stretch)
        if most > 0:
            is_certain = history.known(span) == span.length
            has_ended = place < len(stretches) - 1
            found.append(Opening(span, most, place > 0, has_ended, is_certain))
    return found


def instructor_changes(history: SectionHistory) -> list[InstructorChange]:
    """Who followed whom, oldest first; the first name that was seen is no change."""
    told = [(seen.observed_at, seen.instructor) for seen in history.sightings if seen.instructor is not None]
    return [
        InstructorChange(at, before, after) for (_, before), (at, after) in pairwise(told) if before != after
    ]


def days(history: SectionHistory) -> Iterator[DailyRollup]:
    """Each day on which somebody looked, oldest first."""
    if history.seen is None:
        return
    found, first, last = openings(history), day_of(history.seen.start), day_of(history.seen.end)
    for number in range(first, last + 1):
        today = ObservedPeriod(midnight(number), midnight(number + 1))
        looked_at = history.known(_within(history.seen, today))
        if looked_at:
            began = sum(each.is_new and today.start <= each.span.start < today.end for each in found)
            stood = sum((_known_within(history, each.span, today) for each in found), timedelta(0))
            yield DailyRollup(number, began, stood, looked_at)


def day_of(at: datetime) -> int:
    """The number of the day of `at`."""
    return (at - _EPOCH) // _DAY


def midnight(number: int) -> datetime:
    """When the day of that number begins."""
    return _EPOCH + number * _DAY


def _known_within(history: SectionHistory, span: ObservedPeriod, limits: ObservedPeriod) -> timedelta:
    return history.known(_within(span, limits)) if span.overlap(limits) else timedelta(0)


def _within(span: ObservedPeriod, limits: ObservedPeriod) -> ObservedPeriod:
    return ObservedPeriod(max(span.start, limits.start), min(span.end, limits.end))
