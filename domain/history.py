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

    Shape: `stamped_at` is the recorded time if other entries contradict it; None if it is `observed_at`.
    Seats and waitlist are as in an `Observation`.
    """

    observed_at: datetime
    open_seats: int | None
    capacity: int | None
    instructor: str | None
    stamped_at: datetime | None = None
    is_counted: bool = True
    unreserved_seats: int | None = None
    waitlist_places: int | None = None
    waitlist_length: int | None = None

    @property
    def stamp(self) -> datetime:
        """The recorded time, here and in the notifications that the change caused."""
        return self.stamped_at or self.observed_at


@dataclass(frozen=True, slots=True)
class ObservedPeriod:
    """The period from `start` (inclusive) to `end` (exclusive)."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """Duration of the period."""
        return self.end - self.start

    def overlap(self, other: ObservedPeriod) -> timedelta:
        """Duration for which both periods hold."""
        return max(min(self.end, other.end) - max(self.start, other.start), timedelta(0))


@dataclass(frozen=True, slots=True)
class SectionHistory:
    """The history of section `key` in a period.

    Shape: `entries` are its changes, oldest first; the first one is the state at the beginning.
    `observed_until` is when it was last checked, None if never; `blind` are the blind spans before that, in
    order.
    """

    key: SectionKey
    details: Details = Details()
    entries: Sequence[HistoryEntry] = ()
    observed_until: datetime | None = None
    blind: Sequence[ObservedPeriod] = ()

    @property
    def observed(self) -> ObservedPeriod | None:
        """From the first entry to the last check, including blind spans; None if never observed."""
        if not self.entries or self.observed_until is None:
            return None
        return ObservedPeriod(
            self.entries[0].observed_at, max(self.observed_until, self.entries[-1].observed_at)
        )

    @property
    def polled_time(self) -> timedelta:
        """Duration for which the section was polled."""
        return timedelta(0) if self.observed is None else self.known(self.observed)

    def known(self, span: ObservedPeriod) -> timedelta:
        """How much of `span` is not blind."""
        return span.length - sum((span.overlap(each) for each in self.blind), timedelta(0))

    def intervals(self) -> Iterator[tuple[HistoryEntry, ObservedPeriod]]:
        """Each entry with the period for which it held; the last one holds until the last check."""
        if self.observed is None:
            return
        for entry, following in pairwise(self.entries):
            yield entry, ObservedPeriod(entry.observed_at, following.observed_at)
        last = self.entries[-1]
        yield last, ObservedPeriod(last.observed_at, self.observed.end)


@dataclass(frozen=True, slots=True)
class Opening:
    """A period with open seats, as far as it was observed.

    Shape: `is_new` unless seats were open at the first observation; `has_ended` unless they were open at the
    last check. `is_certain` if no blind span overlaps it. `max_seats` is the maximum of open seats.
    """

    span: ObservedPeriod
    max_seats: int
    is_new: bool
    has_ended: bool
    is_certain: bool


@dataclass(frozen=True, slots=True)
class InstructorChange:
    """A change of instructor; "" means unassigned."""

    at: datetime
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class DailyRollup:
    """One UTC day (`number` of days since the epoch): openings that began, time open, time polled."""

    number: int
    openings: int
    open: timedelta
    polled_time: timedelta


def in_sequence(entries: Sequence[HistoryEntry], until: datetime | None) -> list[HistoryEntry]:
    """`entries` in the order in which they were written, with times that rise in that order too.

    A wrong clock records times that contradict the others. The largest set of times consistent with each
    other and with `until`, the time of the last check, is trusted; each other entry gets the next trusted
    time.
    """
    believed = _longest_rise([each.observed_at for each in entries], until)
    ordered: list[HistoryEntry] = []
    at = until
    for index in reversed(range(len(entries))):
        each = entries[index]
        if index in believed or at is None:
            at = each.observed_at
            ordered.append(each)
        else:
            ordered.append(replace(each, observed_at=at, stamped_at=each.observed_at))
    return ordered[::-1]


def _longest_rise(times: Sequence[datetime], until: datetime | None) -> set[int]:
    """The indexes of the longest non-decreasing subsequence of `times` that is not after `until`."""
    ends: list[datetime] = []  # the lowest end of a subsequence of each length; `places` holds its index
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
    """Every opening, oldest first. Unstated seats keep the previous value."""
    known_entries = [
        (entry.open_seats, span) for entry, span in history.intervals() if entry.open_seats is not None
    ]
    stretches = [list(group) for _, group in groupby(known_entries, key=lambda each: each[0] > 0)]
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
    """Instructor changes, oldest first; the first observed name is not a change."""
    known_entries = [
        (entry.observed_at, entry.instructor) for entry in history.entries if entry.instructor is not None
    ]
    return [
        InstructorChange(at, before, after)
        for (_, before), (at, after) in pairwise(known_entries)
        if before != after
    ]


def days(history: SectionHistory) -> Iterator[DailyRollup]:
    """The rollup of each day on which the section was polled, oldest first."""
    if history.observed is None:
        return
    found, first, last = openings(history), day_of(history.observed.start), day_of(history.observed.end)
    for number in range(first, last + 1):
        today = ObservedPeriod(midnight(number), midnight(number + 1))
        polled_time = history.known(_within(history.observed, today))
        if polled_time:
            began = sum(each.is_new and today.start <= each.span.start < today.end for each in found)
            stood = sum((_known_within(history, each.span, today) for each in found), timedelta(0))
            yield DailyRollup(number, began, stood, polled_time)


def day_of(at: datetime) -> int:
    """The day of `at`, in days since the epoch (UTC)."""
    return (at - _EPOCH) // _DAY


def midnight(number: int) -> datetime:
    """The start of day `number`."""
    return _EPOCH + number * _DAY


def _known_within(history: SectionHistory, span: ObservedPeriod, limits: ObservedPeriod) -> timedelta:
    return history.known(_within(span, limits)) if span.overlap(limits) else timedelta(0)


def _within(span: ObservedPeriod, limits: ObservedPeriod) -> ObservedPeriod:
    return ObservedPeriod(max(span.start, limits.start), min(span.end, limits.end))
