"""Detects implausible mass changes in what a source shows. Pure.

A source that is broken or under maintenance may show a whole term without capacity, full, open or without
instructors. Such a change is doubted: the measure is treated as not stated, the state keeps its value, and a
return to that value causes no event. A change that further looks confirm is accepted.

Each doubt concerns one measure; all other changes in the same look count at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from domain.observation import UNASSIGNED, Observation
from domain.section_state import Doubt, SectionState, open_seats_after
from domain.term import Term

FEWEST = 5
"""The minimum number of sections of a term that change in one look before the change is doubted."""
LOOKS_TO_CONFIRM = {Doubt.CAPACITY: 3, Doubt.FULL: 3, Doubt.UNASSIGNED: 3, Doubt.OPEN: 2}
"""How many consecutive looks must show a doubted change until it is accepted."""
CONFIRM_OPENINGS_AFTER = timedelta(minutes=1)
"""Delay of the re-check of doubted openings; other doubted changes wait for the next run."""

# A change is doubted above this share of the sections in which it was possible: chance does not explain it.
_RATIOS = {Doubt.CAPACITY: 0.2, Doubt.FULL: 0.8, Doubt.UNASSIGNED: 0.5, Doubt.OPEN: 0.5}


@dataclass(frozen=True, slots=True)
class Judged:
    """One section of a look: its state, and the observation to advance it with, without doubted measures."""

    state: SectionState
    seen: Observation
    is_unconfirmed_opening: bool = False


def judge(
    look: Sequence[tuple[SectionState, Observation]], doubts_of: Callable[[Term], Collection[Doubt]]
) -> list[Judged]:
    """The accepted part of a look, in its order.

    Shape: a look is the observations of one batch. `doubts_of` returns the existing doubts of a term; it is
    called only for terms with too few sections in the look.
    """
    mass, lasting = _mass_changes(look, doubts_of), _lasting(look)
    return [_judged(state, seen, mass, lasting) for state, seen in look]


def _mass_changes(
    look: Sequence[tuple[SectionState, Observation]], doubts_of: Callable[[Term], Collection[Doubt]]
) -> set[tuple[Term, Doubt]]:
    possible = Counter((_term(state), doubt) for state, seen in look for doubt in _possible(state, seen))
    shown = Counter((_term(state), doubt) for state, seen in look for doubt in _shown(state, seen))
    return {
        (term, doubt)
        for (term, doubt), count in shown.items()
        if (count >= FEWEST and count > _RATIOS[doubt] * possible[term, doubt])
        or (possible[term, doubt] < FEWEST and doubt in doubts_of(term))
    }


def _lasting(look: Sequence[tuple[SectionState, Observation]]) -> set[tuple[Term, Doubt]]:
    """The doubted changes that most of their sections in the look still show."""
    balance: Counter[tuple[Term, Doubt]] = Counter()
    for state, seen in look:
        if state.doubts:
            shown = set(_shown(state, seen))
            for doubt in state.doubts.keys() & set(_possible(state, seen)):
                balance[_term(state), doubt] += 1 if doubt in shown else -1
    return {place for place, more in balance.items() if more > 0}


def _judged(
    state: SectionState,
    seen: Observation,
    mass: set[tuple[Term, Doubt]],
    lasting: set[tuple[Term, Doubt]],
) -> Judged:
    shown, possible = set(_shown(state, seen)), set(_possible(state, seen))
    looks = {doubt: state.doubts.get(doubt, 0) + 1 for doubt in shown}
    doubted = {
        doubt: count
        for doubt, count in looks.items()
        if count < LOOKS_TO_CONFIRM[doubt] and (count > 1 or (_term(state), doubt) in mass)
    }
    kept = {doubt: count for doubt, count in state.doubts.items() if doubt not in possible}
    if not doubted and not state.doubts:
        return Judged(state, seen)
    ended = state.doubts.keys() - shown - kept.keys()
    alone = {doubt for doubt in ended if (_term(state), doubt) in lasting}
    base = replace(_moved_on(state, seen, ended, alone), doubts=kept | doubted)
    return Judged(base, _without(seen, doubted), Doubt.OPEN in doubted)


def _possible(state: SectionState, seen: Observation) -> Iterator[Doubt]:
    """The changes that `seen` could show of a section: the measure was known, and is stated now."""
    if state.retired:
        return
    if state.capacity and seen.capacity is not None:
        yield Doubt.CAPACITY
    if state.open_seats is not None and seen.open_seats is not None and not _has_no_room(state, seen):
        yield Doubt.OPEN
        if state.open_seats:
            yield Doubt.FULL
    if state.instructor and seen.instructor is not None:
        yield Doubt.UNASSIGNED


def _shown(state: SectionState, seen: Observation) -> Iterator[Doubt]:
    """The changes that `seen` shows."""
    after = open_seats_after(state, seen)
    for doubt in _possible(state, seen):
        match doubt:
            case Doubt.CAPACITY:
                is_shown = 2 * (seen.capacity or 0) < (state.capacity or 0)
            case Doubt.OPEN:
                is_shown = (after or 0) > (state.open_seats or 0)
            case Doubt.FULL:
                is_shown = after == 0
            case Doubt.UNASSIGNED:
                is_shown = seen.instructor == UNASSIGNED
        if is_shown:
            yield doubt


def _has_no_room(state: SectionState, seen: Observation) -> bool:
    """Whether the seats are zero only because the capacity is."""
    return bool(state.capacity) and seen.capacity == 0


def _without(seen: Observation, doubted: Collection[Doubt]) -> Observation:
    """`seen` without the doubted measures."""
    if Doubt.CAPACITY in doubted:
        if seen.capacity == 0:
            seen = replace(seen, open_seats=None, unreserved_seats=None)
        seen = replace(seen, capacity=None)
    if Doubt.OPEN in doubted or Doubt.FULL in doubted:
        seen = replace(seen, open_seats=None, unreserved_seats=None)
    if Doubt.UNASSIGNED in doubted:
        seen = replace(seen, instructor=None)
    return seen


def _moved_on(
    state: SectionState, seen: Observation, ended: Collection[Doubt], alone: Collection[Doubt]
) -> SectionState:
    """The state against which `seen` causes events; a return to the value before the doubt causes none.

    If a section shows neither the old value nor the doubted one, the doubt was wrong: an opening or
    assignment since then must not be lost. The same holds for a section that returns `alone` while most
    others still show the change, because a repaired catalog returns as a whole.
    """
    if Doubt.FULL in ended and (Doubt.FULL in alone or open_seats_after(state, seen) != state.open_seats):
        state = replace(state, open_seats=0)
    if Doubt.UNASSIGNED in ended and (Doubt.UNASSIGNED in alone or seen.instructor != state.instructor):
        state = replace(state, instructor=UNASSIGNED)
    return state


def _term(state: SectionState) -> Term:
    return state.key.source, state.key.term
