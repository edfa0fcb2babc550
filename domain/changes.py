"""How one observation moves a section's state, and which changes it makes.

Episodes: a section counts its openings and its instructor assignments. The first known value is a
baseline and no change; an observation that is not newer than the state changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from domain.observation import UNASSIGNED, Details, Missing, Observation
from domain.section import SectionKey

MISSES_TO_RETIRE = 3
MASS_MISSING_RATIO = 0.2


@dataclass(frozen=True, slots=True)
class SectionState:
    """What is known of a section. None stands for "never said"; `observed_at` orders everything."""

    key: SectionKey
    observed_at: datetime | None = None
    open_seats: int | None = None
    capacity: int | None = None
    instructor: str | None = None
    details: Details = Details()
    openings: int = 0
    assignments: int = 0
    misses: int = 0
    retirements: int = 0
    retired: bool = False


@dataclass(frozen=True, slots=True)
class SeatsRose:
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


Change = SeatsRose | InstructorAssigned | SectionRetired


def advance(state: SectionState, seen: Observation) -> tuple[SectionState, tuple[Change, ...]]:
    """The state after `seen`, and the changes that it makes, in the order they are told."""
    if not _is_newer(state, seen.observed_at):
        return state, ()
    state, rises = _with_seats(state, seen)
    state, assignments = _with_instructor(state, seen)
    state = replace(state, observed_at=seen.observed_at, details=seen.details, misses=0, retired=False)
    return state, rises + assignments


def miss(state: SectionState, missing: Missing) -> SectionState:
    """The state after the source said that it has no such section; never "closed"."""
    if not _is_newer(state, missing.observed_at):
        return state
    return replace(state, observed_at=missing.observed_at, misses=state.misses + 1)


def retire(state: SectionState) -> tuple[SectionState, SectionRetired]:
    """The state of a section that is no longer checked, and the change that tells of it."""
    retirements = state.retirements + 1
    return replace(state, retired=True, retirements=retirements), SectionRetired(retirements)


def is_mass_missing(missing: int, tracked: int) -> bool:
    """Whether so many sections are missing at once that the source is doubted, not the sections."""
    return missing > MASS_MISSING_RATIO * tracked


def _is_newer(state: SectionState, observed_at: datetime) -> bool:
    return state.observed_at is None or observed_at > state.observed_at


def _with_seats(state: SectionState, seen: Observation) -> tuple[SectionState, tuple[Change, ...]]:
    before, after = state.open_seats, seen.open_seats
    capacity = state.capacity if seen.capacity is None else seen.capacity
    if after is None:
        return replace(state, capacity=capacity), ()
    openings = state.openings + (before == 0 and after > 0)
    rises = (SeatsRose(before, after, openings),) if before is not None and after > before else ()
    return replace(state, open_seats=after, capacity=capacity, openings=openings), rises


def _with_instructor(state: SectionState, seen: Observation) -> tuple[SectionState, tuple[Change, ...]]:
    before, after = state.instructor, seen.instructor
    if after is None:
        return state, ()
    if before != UNASSIGNED or after == UNASSIGNED:
        return replace(state, instructor=after), ()
    assignments = state.assignments + 1
    return replace(state, instructor=after, assignments=assignments), (
        InstructorAssigned(after, assignments),
    )
