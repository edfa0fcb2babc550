"""Polls of catalogs: what has changed, whether an answer is complete, and when a term is due next. Pure.

A poll reads one term of one catalog. Seats of a valid answer count at once; only a complete scope proves that
a section does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final

from domain.catalog import CatalogFault, fault_of
from domain.errors import RollcallError
from domain.observation import Observation
from domain.retry import Backoff
from domain.section_state import SectionState

SWEEP_EVERY: Final = timedelta(days=1)
"""How often a whole term is read for the index, and an unwatched term at all."""
LEAST_INTERVAL: Final = timedelta(seconds=60)
"""A watch brings a poll of its term forward, but not closer to the last one. Source: the manners."""
MISS_INTERVAL: Final = timedelta(minutes=30)
"""A section that is missing in each poll counts as missed once in this time."""
OVERDUE_POLLS: Final = 10
"""A watched term is overdue after this many intervals without a complete answer, and `OVERDUE_AFTER`."""
OVERDUE_AFTER: Final = timedelta(minutes=15)
_JITTER: Final = 0.03


class GuardState(StrEnum):
    """Whether the answers of a term are recorded and announced.

    FROZEN (after bad polls) and HELD (implausibly many openings): neither. An operator has RELEASED it: the
    next good poll announces; or DISCARDED it: the next good poll is a silent baseline.
    """

    CLEAR = "clear"
    FROZEN = "frozen"
    HELD = "held"
    RELEASED = "released"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class TermPoll:
    """The state of the polls of one term; None if it never happened.

    Shape: `completed_at` and `swept_at` are of the last complete answer, and of the last one about the whole
    term; `known_rows` is the latter's number of sections. `failures` counts consecutive polls with a `fault`.
    `good_polls` counts those since the last fault; `polls`, `requests` and `changed` (sections) count from
    the beginning. `guard_sample` is the file with the answer that set the guard, `history` is what
    `domain.poll_judgement` knows of the term.
    """

    source: str
    term: str
    due_at: datetime | None = None
    attempted_at: datetime | None = None
    completed_at: datetime | None = None
    swept_at: datetime | None = None
    known_rows: int | None = None
    as_of: datetime | None = None
    failures: int = 0
    fault: CatalogFault | None = None
    error: str | None = None
    polls: int = 0
    requests: int = 0
    changed: int = 0
    guard: GuardState = GuardState.CLEAR
    guard_reason: str | None = None
    guard_since: datetime | None = None
    guard_sample: str | None = None
    good_polls: int = 0
    history: Mapping[str, Any] | None = None


@dataclass(slots=True)
class PollOutcome:
    """What a poll has done. `error` is its first fault, None if every answer was valid and complete."""

    source: str
    term: str
    error: RollcallError | None = None
    has_answered: bool = False
    requests: int = 0
    seconds: float = 0.0
    rows: int = 0
    changed: int = 0
    notifications: int = 0


@dataclass(frozen=True, slots=True)
class WatchedRow:
    """A watched section of a term as the store knows it: its row id, number and course, and its seats."""

    id: int
    number: str
    course: str
    open_seats: int | None
    is_counted: bool
    is_retired: bool
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class ListedRow:
    """A section as an answer lists it, and as it is observed: with its details, if they were read."""

    listed: Observation
    observation: Observation


def digest(seen: Observation) -> int:
    """A signed 64-bit number that is equal for rows with equal content; their times do not count."""
    details = seen.details
    content = (
        seen.open_seats,
        seen.unreserved_seats,
        seen.capacity,
        seen.waitlist_places,
        seen.waitlist_length,
        seen.status,
        seen.is_counted,
        seen.instructor,
        details.course,
        details.title,
        details.location,
        details.meeting_times,
    )
    return int.from_bytes(blake2b(repr(content).encode(), digest_size=8).digest(), "big", signed=True)


def with_details(listed: Observation, detailed: Observation) -> Observation:
    """What the details of a section state, with gaps filled from its row."""
    return replace(
        detailed,
        capacity=listed.capacity if detailed.capacity is None else detailed.capacity,
        instructor=listed.instructor if detailed.instructor is None else detailed.instructor,
        details=detailed.details.over(listed.details),
        status=detailed.status or listed.status,
        as_of=detailed.as_of or listed.as_of,
    )


def may_hide_seats(row: WatchedRow, listed: Observation) -> bool:
    """Whether an unchanged row may hide a change that only its details state.

    Its count was never read, or its status says "open" while no seat was open.
    """
    return not row.is_counted or (bool(listed.open_seats) and row.open_seats == 0)


def counts_as_miss(state: SectionState, at: datetime) -> bool:
    """Whether a section that is missing `at` this time is missed once more."""
    is_first = not state.misses or state.observed_at is None
    return is_first or at - (state.observed_at or at) >= MISS_INTERVAL


@dataclass(slots=True)
class ScopeProgress:
    """What the answers about one scope have shown; `pending` units have not answered yet."""

    pending: int = 0
    numbers: set[str] = field(default_factory=set)
    _totals: set[int] = field(default_factory=set)
    _has_failed: bool = False

    def add(self, numbers: Iterable[str], total: int | None, *, continues: bool) -> None:
        """Add the answer to one unit; `total` is the number of sections that it states for the scope."""
        self.numbers.update(numbers)
        self.pending -= not continues
        if total is not None:
            self._totals.add(total)

    def fail(self) -> None:
        """A unit has no usable answer."""
        self._has_failed = True

    @property
    def is_complete(self) -> bool:
        """Whether every unit has answered, and the answers have as many distinct sections as they state."""
        return not self.pending and not self._has_failed and self._totals <= {len(self.numbers)}


def next_due(started_at: datetime, ended_at: datetime, every: timedelta, jitter: float) -> datetime:
    """When a term is due after a good poll: `every` after the start, and a little later by `jitter` (0 to 1).

    A poll that took longer is followed by the next at once.
    """
    return max(ended_at, started_at + every * (1 + _JITTER * jitter))


def retry_due(now: datetime, every: timedelta, failures: int, error: RollcallError) -> datetime:
    """When a term is due after `failures` consecutive bad polls, the last because of `error`."""
    return now + max(every, _BACKOFFS[fault_of(error)].wait(failures - 1, error))


def is_overdue(poll: TermPoll, since: datetime, every: timedelta, now: datetime) -> bool:
    """Whether a term that is watched `since` then has had no complete answer for too long."""
    last = max(since, poll.completed_at or since)
    return now - last > max(OVERDUE_AFTER, OVERDUE_POLLS * every)


_TRANSPORT = Backoff(first_seconds=60, last_seconds=900)
_ANSWER = Backoff(first_seconds=60, last_seconds=600)
_JUDGED = Backoff(first_seconds=60, last_seconds=300)
_MAINTENANCE = Backoff(first_seconds=300, last_seconds=1800)
_REFUSED = Backoff(first_seconds=900, last_seconds=3600)
_BACKOFFS: Final = {
    CatalogFault.SESSION: _ANSWER,
    CatalogFault.SIGN_IN: _REFUSED,
    CatalogFault.BLOCKED: _REFUSED,
    CatalogFault.RATE_LIMITED: _TRANSPORT,
    CatalogFault.MAINTENANCE: _MAINTENANCE,
    CatalogFault.ROUTE_GONE: _REFUSED,
    CatalogFault.SCHEMA: _ANSWER,
    CatalogFault.WRONG_TERM: _ANSWER,
    CatalogFault.PARTIAL: _ANSWER,
    CatalogFault.DOUBTFUL: _JUDGED,
    CatalogFault.TERM_GONE: _REFUSED,
    CatalogFault.DNS: _TRANSPORT,
    CatalogFault.TLS: _TRANSPORT,
    CatalogFault.UNAVAILABLE: _TRANSPORT,
}
