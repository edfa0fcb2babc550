from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.observation import UNASSIGNED, Observation
from domain.plausibility import MIN_SECTIONS, OBSERVATIONS_TO_CONFIRM, filter_implausible
from domain.section import SectionKey
from domain.section_state import (
    Anomaly,
    InstructorAssigned,
    SeatsFilled,
    SeatsIncreased,
    SectionEvent,
    SectionState,
    advance,
)
from domain.term import Term
from tests.domain.timeline import at

Facts = tuple[int | None, int | None, str | None]
"""Open seats, capacity, instructor."""
ADA, GRACE = "Ada Lovelace", "Grace Hopper"
USUAL: Facts = (3, 40, ADA)
FULL: Facts = (0, 40, UNASSIGNED)


def no_anomalies(_: Term) -> Collection[Anomaly]:
    return ()


def see(states: Sequence[SectionState], *facts: Facts) -> tuple[list[SectionState], list[SectionEvent]]:
    """The sections after one look at all of them, and what changed; the last of `facts` is of the rest."""
    listed = [*facts, *[facts[-1]] * (len(states) - len(facts))]
    look = [(state, Observation(state.key, at(0), *each)) for state, each in zip(states, listed, strict=True)]
    moves = [advance(each.state, each.observation) for each in filter_implausible(look, no_anomalies)]
    return [state for state, _ in moves], [change for _, changes in moves for change in changes]


def campus(facts: Facts, count: int = 10, term: str = "2261") -> list[SectionState]:
    empty = [SectionState(SectionKey("scraper", term, str(number))) for number in range(count)]
    return see(empty, facts)[0]


@pytest.mark.parametrize(
    ("usual", "broken"),
    [
        (USUAL, (0, 0, ADA)),
        (USUAL, (0, 40, ADA)),
        (USUAL, (3, 1, ADA)),
        (USUAL, (3, 40, UNASSIGNED)),
        (USUAL, (0, 0, UNASSIGNED)),
        (FULL, (40, 40, UNASSIGNED)),
    ],
)
def test_a_mass_change_that_becomes_unavailable_again_is_no_news(usual: Facts, broken: Facts) -> None:
    states, reported = campus(usual), list[SectionEvent]()
    for facts in (broken, usual, broken, usual):
        states, changes = see(states, facts)
        reported += changes
        assert {(state.open_seats, state.capacity, state.instructor) for state in states} == {usual}
    assert (reported, [state for state in states if state.anomalies]) == ([], [])


@pytest.mark.parametrize(
    ("usual", "true", "anomaly", "news"),
    [
        (USUAL, (0, 0, ADA), Anomaly.CAPACITY, [SeatsFilled(3, 1)] * 10),
        (USUAL, (0, 40, ADA), Anomaly.FULL, [SeatsFilled(3, 1)] * 10),
        (USUAL, (3, 40, UNASSIGNED), Anomaly.UNASSIGNED, []),
        (FULL, (2, 40, UNASSIGNED), Anomaly.OPEN, [SeatsIncreased(0, 2, 1)] * 10),
    ],
)
def test_a_mass_change_that_persists_is_accepted(
    usual: Facts, true: Facts, anomaly: Anomaly, news: list[SectionEvent]
) -> None:
    states = campus(usual)
    for looks in range(1, OBSERVATIONS_TO_CONFIRM[anomaly]):
        states, changes = see(states, true)
        assert {state.anomalies.get(anomaly) for state in states} == {looks}
        assert changes == []
    states, changes = see(states, true)
    assert changes == news
    assert {(state.open_seats, state.capacity, state.instructor) for state in states} == {true}
    assert not any(state.anomalies for state in states)


def test_fewer_changes_are_believed_at_once() -> None:
    states = campus(FULL)
    states, changes = see(states, *[(1, 40, UNASSIGNED)] * 5, FULL)
    assert changes == [SeatsIncreased(0, 1, 1)] * 5
    few = campus(FULL, MIN_SECTIONS - 1)
    assert len(see(few, (1, 40, UNASSIGNED))[1]) == MIN_SECTIONS - 1


def test_an_anomaly_about_one_measure_delays_no_news_of_another() -> None:
    states = campus((0, 40, ADA))
    states, changes = see(states, (2, 40, UNASSIGNED), (0, 40, UNASSIGNED))
    assert changes == [SeatsIncreased(0, 2, 1)]
    assert {state.instructor for state in states} == {ADA}


def test_what_moved_on_since_it_was_unconfirmed_is_news() -> None:
    states, _ = see(campus(USUAL), (0, 40, UNASSIGNED))
    states, changes = see(states, (1, 40, GRACE), (0, 40, UNASSIGNED))
    assert changes == [SeatsIncreased(0, 1, 1), InstructorAssigned(GRACE, 1)]


def test_what_comes_back_alone_as_it_was_has_opened_and_is_assigned_again() -> None:
    states, _ = see(campus((1, 40, ADA)), (0, 40, UNASSIGNED))
    states, changes = see(states, (1, 40, ADA), *[(0, 40, UNASSIGNED)] * 9)
    assert changes == [SeatsIncreased(0, 1, 1), InstructorAssigned(ADA, 1)]
    assert see(states, (1, 40, ADA))[1] == []


def test_what_fell_while_there_was_no_capacity_did_not_open() -> None:
    states, _ = see(campus(USUAL), (0, 0, ADA))
    assert see(states, (1, 40, ADA), USUAL)[1] == []


def test_an_untold_measure_leaves_its_anomaly_as_it_is() -> None:
    states, _ = see(campus(USUAL), (0, 40, ADA))
    states, _ = see(states, (None, None, None))
    assert {state.anomalies[Anomaly.FULL] for state in states} == {1}


def test_a_look_at_too_few_sections_shares_the_anomalies_of_its_term() -> None:
    (state, *_) = campus(USUAL)
    look = [(state, Observation(state.key, at(0), 0, 0, ADA))]
    assert filter_implausible(look, no_anomalies)[0].state.anomalies == {}
    assert filter_implausible(look, lambda _: {Anomaly.CAPACITY})[0].state.anomalies == {Anomaly.CAPACITY: 1}


def test_terms_are_judged_one_by_one() -> None:
    old, new = (
        campus(USUAL),
        [replace(s, key=SectionKey("scraper", "2267", s.key.number)) for s in campus(FULL)],
    )
    states, changes = see([*old, *new], *[(0, 0, ADA)] * 10, (1, 40, UNASSIGNED), FULL)
    assert changes == [SeatsIncreased(0, 1, 1)]
    assert {state.key.term for state in states if state.anomalies} == {"2261"}


_FACTS = st.tuples(
    st.one_of(st.none(), st.integers(0, 4)),
    st.one_of(st.none(), st.sampled_from([0, 10, 40])),
    st.sampled_from([None, UNASSIGNED, ADA, GRACE]),
)


@given(_FACTS)
def test_one_observation_that_shows_everything_alike_and_wrong_is_no_news_nor_is_its_end(
    broken: Facts,
) -> None:
    states, first = see(campus(USUAL), broken)
    assert first + see(states, USUAL)[1] == []


@given(st.lists(st.lists(_FACTS, min_size=4, max_size=4), max_size=8))
def test_below_the_fewest_sections_nothing_is_unconfirmed(looks: list[list[Facts]]) -> None:
    states = campus(USUAL, MIN_SECTIONS - 1)
    for look in looks:
        states, _ = see(states, *look)
        assert not any(state.anomalies for state in states)
