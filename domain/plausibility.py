"""Detects implausible mass changes in what a source shows. Pure.

A source that is broken or under maintenance may show a whole term without capacity, full, open or without
instructors. Such a change is an anomaly: the measure counts as not stated, the state keeps its value, and a
return to that value causes no event. A change that further observations confirm is accepted.

Each anomaly concerns one measure; all other changes in the same batch count at once.
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
"""The minimum number of sections of a term that change in one batch for the change to be an anomaly."""
OBSERVATIONS_TO_CONFIRM = {Anomaly.CAPACITY: 3, Anomaly.FULL: 3, Anomaly.UNASSIGNED: 3, Anomaly.OPEN: 2}
"""How many consecutive observations must show an anomaly until it is accepted."""
CONFIRM_OPENINGS_AFTER = timedelta(minutes=1)
"""Delay of the re-check of unconfirmed openings; other anomalies wait for the next run."""

# A change is an anomaly above this share of the sections in which it was possible.
_RATIOS = {Anomaly.CAPACITY: 0.2, Anomaly.FULL: 0.8, Anomaly.UNASSIGNED: 0.5, Anomaly.OPEN: 0.5}


@dataclass(frozen=True, slots=True)
class PlausibleObservation:
    """One section of a batch: its state, and its observation without unconfirmed measures."""

    state: SectionState
    observation: Observation
    is_unconfirmed_opening: bool = False


def filter_implausible(
    batch: Sequence[tuple[SectionState, Observation]],
    anomalies_of: Callable[[Term], Collection[Anomaly]],
    unchanged: Sequence[Observation] = (),
) -> list[PlausibleObservation]:
    """The accepted part of a batch, in its order.

    Shape: `anomalies_of` returns the existing anomalies of a term; it is called only for terms with too few
    sections in the batch. `unchanged` are further sections of the same answer, which show what is known.
    """
    mass, persisting = _mass_changes(batch, anomalies_of, unchanged), _persisting(batch)
    return [_filter_one(state, observation, mass, persisting) for state, observation in batch]


def _mass_changes(
    batch: Sequence[tuple[SectionState, Observation]],
    anomalies_of: Callable[[Term], Collection[Anomaly]],
    unchanged: Sequence[Observation],
) -> set[tuple[Term, Anomaly]]:
    possible = Counter(
        (_term(state), anomaly)
        for state, observation in batch
        for anomaly in _possible_anomalies(state, observation)
    )
    shown = Counter(
        (_term(state), anomaly)
        for state, observation in batch
        for anomaly in _shown_anomalies(state, observation)
    )
    if shown:
        possible += _possible_of_unchanged(unchanged)
    return {
        (term, anomaly)
        for (term, anomaly), count in shown.items()
        if (count >= MIN_SECTIONS and count > _RATIOS[anomaly] * possible[term, anomaly])
        or (possible[term, anomaly] < MIN_SECTIONS and anomaly in anomalies_of(term))
    }


def _persisting(batch: Sequence[tuple[SectionState, Observation]]) -> set[tuple[Term, Anomaly]]:
    """The anomalies that most of their sections in the batch still show."""
    balance: Counter[tuple[Term, Anomaly]] = Counter()
    for state, observation in batch:
        if state.anomalies:
            shown = set(_shown_anomalies(state, observation))
            for anomaly in state.anomalies.keys() & set(_possible_anomalies(state, observation)):
                balance[_term(state), anomaly] += 1 if anomaly in shown else -1
    return {place for place, more in balance.items() if more > 0}


def _filter_one(
    state: SectionState,
    observation: Observation,
    mass: set[tuple[Term, Anomaly]],
    persisting: set[tuple[Term, Anomaly]],
) -> PlausibleObservation:
    shown, possible = set(_shown_anomalies(state, observation)), set(_possible_anomalies(state, observation))
    counts = {anomaly: state.anomalies.get(anomaly, 0) + 1 for anomaly in shown}
    unconfirmed = {
        anomaly: count
        for anomaly, count in counts.items()
        if count < OBSERVATIONS_TO_CONFIRM[anomaly] and (count > 1 or (_term(state), anomaly) in mass)
    }
    unobserved = {anomaly: count for anomaly, count in state.anomalies.items() if anomaly not in possible}
    if not unconfirmed and not state.anomalies:
        return PlausibleObservation(state, observation)
    ended = state.anomalies.keys() - shown - unobserved.keys()
    alone = {anomaly for anomaly in ended if (_term(state), anomaly) in persisting}
    base = replace(_resolved(state, observation, ended, alone), anomalies=unobserved | unconfirmed)
    return PlausibleObservation(
        base, _without_unconfirmed(observation, unconfirmed), Anomaly.OPEN in unconfirmed
    )


def _possible_anomalies(state: SectionState, observation: Observation) -> Iterator[Anomaly]:
    """The changes that an observation could show of a section: the measure was known, and is stated now."""
    if state.retired:
        return
    if state.capacity and observation.capacity is not None:
        yield Anomaly.CAPACITY
    if (
        state.open_seats is not None
        and observation.open_seats is not None
        and not _is_capacity_zero(state, observation)
    ):
        yield Anomaly.OPEN
        if state.open_seats:
            yield Anomaly.FULL
    if state.instructor and observation.instructor is not None:
        yield Anomaly.UNASSIGNED


def _possible_of_unchanged(unchanged: Sequence[Observation]) -> Counter[tuple[Term, Anomaly]]:
    """As `_possible_anomalies`, counted, of sections whose state is what they show."""
    shows: dict[Anomaly, Callable[[Observation], object]] = {
        Anomaly.CAPACITY: lambda seen: seen.capacity,
        Anomaly.OPEN: lambda seen: seen.open_seats is not None,
        Anomaly.FULL: lambda seen: seen.open_seats,
        Anomaly.UNASSIGNED: lambda seen: seen.instructor,
    }
    return Counter(
        ((seen.key.source, seen.key.term), anomaly)
        for anomaly, is_shown in shows.items()
        for seen in unchanged
        if is_shown(seen)
    )


def _shown_anomalies(state: SectionState, observation: Observation) -> Iterator[Anomaly]:
    """The changes that the observation shows."""
    after = open_seats_after(state, observation)
    for anomaly in _possible_anomalies(state, observation):
        match anomaly:
            case Anomaly.CAPACITY:
                is_shown = 2 * (observation.capacity or 0) < (state.capacity or 0)
            case Anomaly.OPEN:
                is_shown = (after or 0) > (state.open_seats or 0)
            case Anomaly.FULL:
                is_shown = after == 0
            case Anomaly.UNASSIGNED:
                is_shown = observation.instructor == UNASSIGNED
        if is_shown:
            yield anomaly


def _is_capacity_zero(state: SectionState, observation: Observation) -> bool:
    """Whether the seats are zero only because the capacity is."""
    return bool(state.capacity) and observation.capacity == 0


def _without_unconfirmed(observation: Observation, unconfirmed: Collection[Anomaly]) -> Observation:
    """The observation without the unconfirmed measures."""
    if Anomaly.CAPACITY in unconfirmed:
        if observation.capacity == 0:
            observation = replace(observation, open_seats=None, unreserved_seats=None)
        observation = replace(observation, capacity=None)
    if Anomaly.OPEN in unconfirmed or Anomaly.FULL in unconfirmed:
        observation = replace(observation, open_seats=None, unreserved_seats=None)
    if Anomaly.UNASSIGNED in unconfirmed:
        observation = replace(observation, instructor=None)
    return observation


def _resolved(
    state: SectionState, observation: Observation, ended: Collection[Anomaly], alone: Collection[Anomaly]
) -> SectionState:
    """The state to compare the observation with; a return to the value before the anomaly causes no event.

    If a section shows neither the old value nor the unconfirmed one, the change was genuine: an opening or
    assignment since then must not be lost. The same holds for a section that returns `alone` while most
    others still show the change, because a repaired catalog returns as a whole.
    """
    if Anomaly.FULL in ended and (
        Anomaly.FULL in alone or open_seats_after(state, observation) != state.open_seats
    ):
        state = replace(state, open_seats=0)
    if Anomaly.UNASSIGNED in ended and (
        Anomaly.UNASSIGNED in alone or observation.instructor != state.instructor
    ):
        state = replace(state, instructor=UNASSIGNED)
    return state


def _term(state: SectionState) -> Term:
    return state.key.source, state.key.term
