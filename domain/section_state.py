"""How an observation advances a section's state, and the events it causes.

Episodes: a section counts its openings, its fillings, the openings of its waitlist and its instructor
assignments. The first known value is a baseline and causes no event.

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
    """More open seats than before, in the section's `episode`-th opening.

    Shape: `unreserved_seats` are those after, None if the source never stated them.
    """

    before: int
    after: int
    episode: int
    unreserved_seats: int | None = None


@dataclass(frozen=True, slots=True)
class SeatsFilled:
    """The last of `before` open seats was taken, for the `episode`-th time."""

    before: int
    episode: int


@dataclass(frozen=True, slots=True)
class Waitlist:
    """The free places on a waitlist, and how many people wait; None if the source never stated it."""

    places: int | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class WaitlistOpened:
    """Free places on the waitlist, in its `episode`-th opening: the first ones, more, or a shorter queue."""

    before: Waitlist
    after: Waitlist
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


@dataclass(frozen=True, slots=True)
class SectionAdded:
    """A course has a section that it did not have before. A section is added once."""

    episode: int = 1


SectionEvent = (
    SeatsIncreased | SeatsFilled | WaitlistOpened | InstructorAssigned | SectionRetired | SectionAdded
)


def is_current(state: SectionState, asked_revision: int | None) -> bool:
    """Whether to accept an answer that was requested when the state had `asked_revision`."""
    return state.revision == asked_revision


def advance(state: SectionState, seen: Observation) -> tuple[SectionState, tuple[SectionEvent, ...]]:
    """The state after `seen`, and the events it causes, in the order of their notifications."""
    if state.retired:  # watchers were notified that it is gone; when it is listed again, its seats open
        state = replace(state, open_seats=0)
    open_seats = open_seats_after(state, seen)
    is_counted = state.is_counted if _states_no_count(state, seen) else seen.is_counted
    unreserved_seats = _latest(seen.unreserved_seats, state.unreserved_seats)
    openings, rises = _opened(state, open_seats, unreserved_seats, is_counted=is_counted)
    fillings, filled = _filled(state, open_seats, seen.status)
    waitlist = Waitlist(
        _latest(seen.waitlist_places, state.waitlist_places),
        _latest(seen.waitlist_length, state.waitlist_length),
    )
    waitlist_openings, eased = _waitlist_opened(state, waitlist)
    assignments, named = _assigned(state, seen.instructor)
    moved = SectionState(  # every field: `replace` takes three times as long
        key=state.key,
        revision=state.revision + 1,
        observed_at=seen.observed_at,
        open_seats=_latest(open_seats, state.open_seats),
        unreserved_seats=unreserved_seats,
        capacity=_latest(seen.capacity, state.capacity),
        instructor=_latest(seen.instructor, state.instructor),
        details=seen.details.over(state.details),
        openings=openings,
        assignments=assignments,
        misses=0,
        retirements=state.retirements,
        retired=False,
        anomalies=state.anomalies,
        missing_since=None,
        status=_latest(seen.status, state.status),
        is_counted=is_counted,
        waitlist_places=waitlist.places,
        waitlist_length=waitlist.length,
        waitlist_openings=waitlist_openings,
        fillings=fillings,
        as_of=_latest(seen.as_of, state.as_of),
    )
    return moved, (*rises, *filled, *(() if rises else eased), *named)


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
    if _states_no_count(state, seen):
        return None if seen.open_seats is None else state.open_seats
    if seen.open_seats is None or seen.unreserved_seats is not None or state.unreserved_seats is None:
        return seen.open_seats
    return min(seen.open_seats, state.unreserved_seats)


def _states_no_count(state: SectionState, seen: Observation) -> bool:
    """Whether `seen` leaves the count of the open seats as it is: it says nothing, or only that some are."""
    return seen.open_seats is None or bool(not seen.is_counted and seen.open_seats and state.open_seats)


def _opened(
    state: SectionState, after: int | None, unreserved_seats: int | None, *, is_counted: bool
) -> tuple[int, tuple[SectionEvent, ...]]:
    """The count of openings with `after` open seats, and the event if the seats increased.

    The first count of a section that was open when it was first seen is not an increase.
    """
    before = state.open_seats
    if before is None or after is None or after <= before:
        return state.openings, ()
    if is_counted and not state.is_counted and before and not state.openings:
        return state.openings, ()
    openings = state.openings + (before == 0)
    return openings, (SeatsIncreased(before, after, openings, unreserved_seats),)


def _filled(
    state: SectionState, after: int | None, status: SectionStatus | None
) -> tuple[int, tuple[SectionEvent, ...]]:
    """The count of fillings with `after` open seats, and the event if the last seat was taken."""
    if not state.open_seats or after != 0 or status is SectionStatus.CANCELLED:
        return state.fillings, ()
    fillings = state.fillings + 1
    return fillings, (SeatsFilled(state.open_seats, fillings),)


def _waitlist_opened(state: SectionState, after: Waitlist) -> tuple[int, tuple[SectionEvent, ...]]:
    """The count of openings of the waitlist, and the event if it is open and easier to join than before."""
    if not after.places or state.waitlist_places is None:
        return state.waitlist_openings, ()
    before = Waitlist(state.waitlist_places, state.waitlist_length)
    if after.places <= state.waitlist_places and not _is_shorter(after.length, before.length):
        return state.waitlist_openings, ()
    openings = state.waitlist_openings + (before.places == 0)
    return openings, (WaitlistOpened(before, after, openings),)


def _is_shorter(after: int | None, before: int | None) -> bool:
    return after is not None and before is not None and after < before


def _assigned(state: SectionState, after: str | None) -> tuple[int, tuple[SectionEvent, ...]]:
    """The count of assignments with the instructor `after`, and the event if one was assigned."""
    if state.instructor != UNASSIGNED or not after:
        return state.assignments, ()
    assignments = state.assignments + 1
    return assignments, (InstructorAssigned(after, assignments),)
