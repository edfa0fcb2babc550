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

from domain.observation import UNASSIGNED, Details, Missing, Observation
from domain.section import SectionKey

T = TypeVar("T")

MISSES_TO_RETIRE = 3
MASS_MISSING_RATIO = 0.2


class Doubt(StrEnum):
    """What a source may show of many sections at once that is not true (`domain.plausibility`)."""

    CAPACITY = "capacity"  # less than half of it is left
    FULL = "full"
    OPEN = "open"
    UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class SectionState:
    """What is known of a section. None stands for "never said".

    Shape: `revision` counts the answers that counted, and orders them. `observed_at` is the time of the last
    one, by the clock of whoever asked: it is for people, and orders nothing. `unreserved_seats` is what the
    source last said of them; since then it bounds `open_seats`. `doubts` counts the looks that showed each
    change that is not believed yet. `missing_since` is when the source first said that it has no such one.
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
    doubts: Mapping[Doubt, int] = field(default_factory=dict)
    missing_since: datetime | None = None


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
    """The source has confirmed often enough that the section is gone, for the `episode`-th time."""

    episode: int


SectionEvent = SeatsIncreased | InstructorAssigned | SectionRetired


def is_current(state: SectionState, asked_revision: int | None) -> bool:
    """Whether an answer counts that was asked for when the state had `asked_revision`."""
    return state.revision == asked_revision


def advance(state: SectionState, seen: Observation) -> tuple[SectionState, tuple[SectionEvent, ...]]:
    """The state after `seen`, and the changes that it makes, in the order they are told."""
    if state.retired:  # its watchers were told that it is gone: when it is listed again, its seats open
        state = replace(state, open_seats=0)
    open_seats = open_seats_after(state, seen)
    openings, rises = _opened(state, open_seats)
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
    )
    return moved, rises + named


def miss(state: SectionState, missing: Missing) -> SectionState:
    """The state after the source said that it has no such section; never "closed".

    A doubt counts looks in a row, so this ends it.
    """
    return replace(
        state,
        doubts={},
        revision=state.revision + 1,
        observed_at=missing.observed_at,
        misses=state.misses + 1,
        missing_since=state.missing_since or missing.observed_at,
    )


def retire(state: SectionState) -> tuple[SectionState, SectionRetired]:
    """The state of a section that is no longer checked, and the change that tells of it."""
    retirements = state.retirements + 1
    return replace(state, retired=True, retirements=retirements), SectionRetired(retirements)


def is_mass_missing(missing: int, tracked: int) -> bool:
    """Whether so many sections are missing at once that the source is doubted, not the sections."""
    return missing > MASS_MISSING_RATIO * tracked


def _latest(said: T | None, known: T | None) -> T | None:
    """What the source says now; where it does not say, what is known stays."""
    return known if said is None else said


def open_seats_after(state: SectionState, seen: Observation) -> int | None:
    """The open seats that `seen` shows; where it does not say how many are unreserved, no more than before.

    Source: DESIGN, 1.3: once a section has told its unreserved seats, null means untold.
    """
    if seen.open_seats is None or seen.unreserved_seats is not None or state.unreserved_seats is None:
        return seen.open_seats
    return min(seen.open_seats, state.unreserved_seats)


def _opened(state: SectionState, after: int | None) -> tuple[int, tuple[SectionEvent, ...]]:
    """The count of openings with `after` open seats, and the rise that it is."""
    before = state.open_seats
    if before is None or after is None or after <= before:
        return state.openings, ()
    openings = state.openings + (before == 0)
    return openings, (SeatsIncreased(before, after, openings),)


def _assigned(state: SectionState, after: str | None) -> tuple[int, tuple[SectionEvent, ...]]:
    """The count of assignments with the instructor `after`, and the assignment that it is."""
    if state.instructor != UNASSIGNED or not after:
        return state.assignments, ()
    assignments = state.assignments + 1
    return assignments, (InstructorAssigned(after, assignments),)
