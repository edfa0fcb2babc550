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
from domain.section_state import Anomaly, SectionState, open_seats_after
from domain.term import Term

MIN_SECTIONS = 5
"""The minimum number of sections of a term that change in one look before the change is doubted."""
OBSERVATIONS_TO_CONFIRM = {Anomaly.CAPACITY: 3, Anomaly.FULL: 3, Anomaly.UNASSIGNED: 3, Anomaly.OPEN: 2}
"""How many consecutive looks must show a doubted change until it is accepted."""
CONFIRM_OPENINGS_AFTER = timedelta(minutes=1)
"""Delay of the re-check of doubted openings; other doubted changes wait for the next run."""

# A change is doubted above this share of the sections in which it was possible: chance does not explain it.
_RATIOS = {Anomaly.CAPACITY: 0.2, Anomaly.FULL: 0.8, Anomaly.UNASSIGNED: 0.5, Anomaly.OPEN: 0.5}


@dataclass(frozen=True, slots=True)
class Judged:
    """One section of a look: its state, and the observation to advance it with, without doubted measures."""

    state: SectionState
    observation: Observation
    is_unconfirmed_opening: bool = False


def judge(
    look: Sequence[tuple[SectionState, Observation]], anomalies_of: Callable[[Term], Collection[Anomaly]]
) -> list[Judged]:
    """The accepted part of a look, in its order.

    Shape: a look is the observations of one batch. `doubts_of` returns the existing doubts of a term; it is
    called only for terms with too few sections in the look.
    """
    mass, lasting = _mass_changes(look, anomalies_of), _lasting(look)
    return [_judged(state, seen, mass, lasting) for state, seen in look]


def _mass_changes(
    look: Sequence[tuple[SectionState, Observation]], anomalies_of: Callable[[Term], Collection[Anomaly]]
) -> set[tuple[Term, Anomaly]]:
    possible = Counter((_term(state), anomaly) for state, seen in look for anomaly in _possible(state, seen))
    shown = Counter((_term(state), anomaly) for state, seen in look for anomaly in _shown(state, seen))
    return {
        (term, anomaly)
        for (term, anomaly), count in shown.items()
        if (count >= MIN_SECTIONS and count > _RATIOS[anomaly] * possible[term, anomaly])
        or (possible[term, anomaly] < MIN_SECTIONS and anomaly in anomalies_of(term))
    }


def _lasting(look: Sequence[tuple[SectionState, Observation]]) -> set[tuple[Term, Anomaly]]:
    """The doubted changes that most of their sections in the look still show."""
    balance: Counter[tuple[Term, Anomaly]] = Counter()
    for state, seen in look:
        if state.anomalies:
            shown = set(_shown(state, seen))
            for anomaly in state.anomalies.keys() & set(_possible(state, seen)):
                balance[_term(state), anomaly] += 1 if anomaly in shown else -1
    return {place for place, more in balance.items() if more > 0}


def _judged(
    state: SectionState,
    seen: Observation,
    mass: set[tuple[Term, Anomaly]],
    lasting: set[tuple[Term, Anomaly]],
) -> Judged:
    shown, possible = set(_shown(state, seen)), set(_possible(state, seen))
    looks = {anomaly: state.anomalies.get(anomaly, 0) + 1 for anomaly in shown}
    doubted = {
        anomaly: count
        for anomaly, count in looks.items()
        if count < OBSERVATIONS_TO_CONFIRM[anomaly] and (count > 1 or (_term(state), anomaly) in mass)
    }
    kept = {anomaly: count for anomaly, count in state.anomalies.items() if anomaly not in possible}
    if not doubted and not state.anomalies:
        return Judged(state, seen)
    ended = state.anomalies.keys() - shown - kept.keys()
    alone = {anomaly for anomaly in ended if (_term(state), anomaly) in lasting}
    base = replace(_moved_on(state, seen, ended, alone), anomalies=kept | doubted)
    return Judged(base, _without(seen, doubted), Anomaly.OPEN in doubted)


def _possible(state: SectionState, seen: Observation) -> Iterator[Anomaly]:
    """The changes that `seen` could show of a section: the measure was known, and is stated now."""
    if state.retired:
        return
    if state.capacity and seen.capacity is not None:
        yield Anomaly.CAPACITY
    if state.open_seats is not None and seen.open_seats is not None and not _has_no_room(state, seen):
        yield Anomaly.OPEN
        if state.open_seats:
            yield Anomaly.FULL
    if state.instructor and seen.instructor is not None:
        yield Anomaly.UNASSIGNED


def _shown(state: SectionState, seen: Observation) -> Iterator[Anomaly]:
    """The changes that `seen` shows."""
    after = open_seats_after(state, seen)
    for anomaly in _possible(state, seen):
        match anomaly:
            case Anomaly.CAPACITY:
                is_shown = 2 * (seen.capacity or 0) < (state.capacity or 0)
            case Anomaly.OPEN:
                is_shown = (after or 0) > (state.open_seats or 0)
            case Anomaly.FULL:
                is_shown = after == 0
            case Anomaly.UNASSIGNED:
                is_shown = seen.instructor == UNASSIGNED
        if is_shown:
            yield anomaly


def _has_no_room(state: SectionState, seen: Observation) -> bool:
    """Whether the seats are zero only because the capacity is."""
    return bool(state.capacity) and seen.capacity == 0


def _without(seen: Observation, doubted: Collection[Anomaly]) -> Observation:
    """`seen` without the doubted measures."""
    if Anomaly.CAPACITY in doubted:
        if seen.capacity == 0:
            seen = replace(seen, open_seats=None, unreserved_seats=None)
        seen = replace(seen, capacity=None)
    if Anomaly.OPEN in doubted or Anomaly.FULL in doubted:
        seen = replace(seen, open_seats=None, unreserved_seats=None)
    if Anomaly.UNASSIGNED in doubted:
        seen = replace(seen, instructor=None)
    return seen


def _moved_on(
    state: SectionState, seen: Observation, ended: Collection[Anomaly], alone: Collection[Anomaly]
) -> SectionState:
    """The state against which `seen` causes events; a return to the value before the doubt causes none.

    If a section shows neither the old value nor the doubted one, the doubt was wrong: an opening or
    assignment since then must not be lost. The same holds for a section that returns `alone` while most
    others still show the change, because a repaired catalog returns as a whole.
    """
    if Anomaly.FULL in ended and (Anomaly.FULL in alone or open_seats_after(state, seen) != state.open_seats):
        state = replace(state, open_seats=0)
    if Anomaly.UNASSIGNED in ended and (Anomaly.UNASSIGNED in alone or seen.instructor != state.instructor):
        state = replace(state, instructor=UNASSIGNED)
    return state


def _term(state: SectionState) -> Term:
    return state.key.source, state.key.term
