"""How an observation advances a section's state, and the events it causes.

Episodes: a section counts its openings and its instructor assignments. The first known value is a baseline
and causes no event.

Order: each accepted answer increments the state's revision. A caller reads the revision before it asks the
source, and the answer is accepted only if the revision is still the same (`is_current`). An older answer
therefore never replaces a newer one, whatever the clocks say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from domain.observation import UNASSIGNED, Details, Missing, Observation, SectionStatus
from domain.section import SectionKey

T = TypeVar("T")

MISSES_TO_RETIRE = 3
MASS_MISSING_RATIO = 0.2


class Anomaly(StrEnum):
    """An implausible change that a source may show of many sections at once (`domain.plausibility`)."""

    CAPACITY = "capacity"  # it fell below half
    FULL = "full"
    OPEN = "open"
    UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class SectionState:
    """The known state of a section. None means "never stated".

    Shape: `revision` counts and orders the accepted answers. `observed_at` is the time of the last one by the
    caller's clock; it is for display and orders nothing. `unreserved_seats` is the source's last statement
    and bounds `open_seats` from then on. `anomalies` counts the observations of each unconfirmed change.
    `missing_since` is when the source first reported the section missing. `status`, `is_counted` (of
    `open_seats`), the waitlist and `as_of` are the last ones stated, as in `Observation`.
    `waitlist_openings` and `fillings` are episodes, as `openings` and `assignments`.
    """

    key: SectionKey
    revision: int = 0
    observed_at: datetime | None = None
    open_seats: int | None = None
    unreserved_seats: int | None = None
    capacity: int | None = None
    instructor: str | None = None
    details: Details = Details()
    openings: int = 0
    assignments: int = 0
    misses: int = 0
    retirements: int = 0
    retired: bool = False
    anomalies: Mapping[Anomaly, int] = field(default_factory=dict)
    missing_since: datetime | None = None
    status: SectionStatus | None = None
    is_counted: bool = True
    waitlist_places: int | None = None
    waitlist_length: int | None = None
    waitlist_openings: int = 0
    fillings: int = 0
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeatsIncreased:
    """More open seats than before, in the section's `episode`-th opening."""

    before: int
    after: int
    episode: int


@dataclass(frozen=True, slots=True)
class InstructorAssigned:
    """A named instructor where there was none, for the `episode`-th time."""

    instructor: str
    episode: int


@dataclass(frozen=True, slots=True)
class SectionRetired:
    """The source has confirmed repeatedly that the section is gone, for the `episode`-th time."""

    episode: int


SectionEvent = SeatsIncreased | InstructorAssigned | SectionRetired


def is_current(state: SectionState, asked_revision: int | None) -> bool:
    """Whether to accept an answer that was requested when the state had `asked_revision`."""
    return state.revision == asked_revision


def advance(state: SectionState, seen: Observation) -> tuple[SectionState, tuple[SectionEvent, ...]]:
    """The state after `seen`, and the events it causes, in the order of their notifications."""
    if state.retired:  # watchers were notified that it is gone; when it is listed again, its seats open
        state = replace(state, open_seats=0)
    open_seats = open_seats_after(state, seen)
    openings, rises = _opened(state, open_seats, is_counted=seen.is_counted)
    assignments, named = _assigned(state, seen.instructor)
    moved = replace(
        state,
        revision=state.revision + 1,
        observed_at=seen.observed_at,
        open_seats=_latest(open_seats, state.open_seats),
        unreserved_seats=_latest(seen.unreserved_seats, state.unreserved_seats),
        capacity=_latest(seen.capacity, state.capacity),
        instructor=_latest(seen.instructor, state.instructor),
        details=seen.details.over(state.details),
        openings=openings,
        assignments=assignments,
        misses=0,
        missing_since=None,
        retired=False,
        status=_latest(seen.status, state.status),
        is_counted=state.is_counted if open_seats is None else seen.is_counted,
        waitlist_places=_latest(seen.waitlist_places, state.waitlist_places),
        waitlist_length=_latest(seen.waitlist_length, state.waitlist_length),
        as_of=_latest(seen.as_of, state.as_of),
    )
    return moved, rises + named


def miss(state: SectionState, missing: Missing) -> SectionState:
    """The state after the source reported the section missing, which never means "closed".

    Anomalies count consecutive observations, so a miss resets them.
    """
    return replace(
        state,
        anomalies={},
        revision=state.revision + 1,
        observed_at=missing.observed_at,
        misses=state.misses + 1,
        missing_since=state.missing_since or missing.observed_at,
    )


def retire(state: SectionState) -> tuple[SectionState, SectionRetired]:
    """The state of a section that is no longer checked, and the event that reports it."""
    retirements = state.retirements + 1
    return replace(state, retired=True, retirements=retirements), SectionRetired(retirements)


def is_mass_missing(missing: int, tracked: int) -> bool:
    """Whether so many sections are missing at once that the source is at fault, not the sections."""
    return missing > MASS_MISSING_RATIO * tracked


def _latest(said: T | None, known: T | None) -> T | None:
    """The value that the source states now, else the known one."""
    return known if said is None else said


def open_seats_after(state: SectionState, seen: Observation) -> int | None:
    """The open seats in `seen`, at most the last unreserved seats if `seen` does not state those.

    Source: DESIGN, 1.3: once a section has stated its unreserved seats, null means "not stated".
    """
    if seen.open_seats is None or seen.unreserved_seats is not None or state.unreserved_seats is None:
        return seen.open_seats
    return min(seen.open_seats, state.unreserved_seats)


def _opened(
    state: SectionState, after: int | None, *, is_counted: bool
) -> tuple[int, tuple[SectionEvent, ...]]:
    """The count of openings with `after` open seats, and the event if the seats increased.

    A count that follows a bare "open" is a baseline.
    """
    before = state.open_seats
    if before is None or after is None or after <= before or (before and is_counted != state.is_counted):
        return state.openings, ()
    openings = state.openings + (before == 0)
    return openings, (SeatsIncreased(before, after, openings),)


def _assigned(state: SectionState, after: str | None) -> tuple[int, tuple[SectionEvent, ...]]:
    """The count of assignments with the instructor `after`, and the event if one was assigned."""
    if state.instructor != UNASSIGNED or not after:
        return state.assignments, ()
    assignments = state.assignments + 1
    return assignments, (InstructorAssigned(after, assignments),)
