from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.changes import (
    InstructorAssigned,
    SeatsRose,
    SectionRetired,
    SectionState,
    advance,
    is_mass_missing,
    miss,
    retire,
)
from domain.observation import UNASSIGNED, Details, Missing, Observation
from tests.domain.timeline import KEY, OBSERVATIONS, TIMELINES, at, fold, seen


@pytest.mark.parametrize("open_seats", [0, 1, 30])
def test_the_first_known_count_is_a_baseline(open_seats: int) -> None:
    state, changes = fold([seen(0, open_seats)])
    assert (state.open_seats, state.openings, changes) == (open_seats, 0, [])


def test_a_first_count_after_unknown_ones_is_still_a_baseline() -> None:
    assert fold([seen(0, None), seen(1, None), seen(2, 3)])[1] == []


@pytest.mark.parametrize("name", [UNASSIGNED, "Ada Lovelace"])
def test_the_first_known_instructor_is_a_baseline(name: str) -> None:
    state, changes = fold([seen(0), seen(1, instructor=name)])
    assert (state.instructor, state.assignments, changes) == (name, 0, [])


def test_every_rise_from_none_left_opens_an_episode() -> None:
    state, changes = fold(seen(minute, count) for minute, count in enumerate([0, 2, 0, 1, 0, 5]))
    assert changes == [SeatsRose(0, 2, 1), SeatsRose(0, 1, 2), SeatsRose(0, 5, 3)]
    assert state.openings == 3


def test_more_seats_in_an_open_section_belong_to_its_episode() -> None:
    assert fold(seen(minute, count) for minute, count in enumerate([0, 1, 3, 2, 4]))[1] == [
        SeatsRose(0, 1, 1),
        SeatsRose(1, 3, 1),
        SeatsRose(2, 4, 1),
    ]


def test_more_seats_since_the_baseline_belong_to_episode_zero() -> None:
    assert fold([seen(0, 1), seen(1, 3)])[1] == [SeatsRose(1, 3, 0)]


def test_unknown_seats_neither_close_nor_open() -> None:
    state, changes = fold(seen(minute, count) for minute, count in enumerate([0, 2, None, 2, None, 1]))
    assert changes == [SeatsRose(0, 2, 1)]
    assert (state.open_seats, state.openings) == (1, 1)


def test_an_opening_during_unknown_answers_is_told_when_it_is_seen() -> None:
    assert fold([seen(0, 0), seen(1, None), seen(2, 1)])[1] == [SeatsRose(0, 1, 1)]


def test_an_instructor_is_told_only_where_there_was_none() -> None:
    names = [UNASSIGNED, "Ada Lovelace", "Grace Hopper", None, UNASSIGNED, None, "Ada Lovelace"]
    state, changes = fold(seen(minute, instructor=name) for minute, name in enumerate(names))
    assert changes == [InstructorAssigned("Ada Lovelace", 1), InstructorAssigned("Ada Lovelace", 2)]
    assert (state.instructor, state.assignments) == ("Ada Lovelace", 2)


def test_seats_and_an_instructor_that_change_together_are_both_told() -> None:
    assert fold([seen(0, 0, UNASSIGNED), seen(1, 1, "Ada Lovelace")])[1] == [
        SeatsRose(0, 1, 1),
        InstructorAssigned("Ada Lovelace", 1),
    ]


def test_an_unknown_capacity_leaves_the_known_one() -> None:
    first = Observation(KEY, at(0), 1, 30, None)
    assert fold([first, seen(1, None), seen(2, 3)])[0].capacity == 30


def test_details_are_the_newest_ones() -> None:
    moved = replace(seen(1), details=Details(location="WLH 2001"))
    state, _ = fold([replace(seen(0), details=Details(location="CENTR 115")), moved])
    assert state.details.location == "WLH 2001"


@given(TIMELINES, OBSERVATIONS)
def test_an_observation_that_is_not_newer_changes_nothing(
    timeline: list[Observation], late: Observation
) -> None:
    state, _ = fold(timeline)
    if state.observed_at is not None and late.observed_at <= state.observed_at:
        assert advance(state, late) == (state, ())
        assert miss(state, Missing(KEY, late.observed_at)) == state


@given(TIMELINES, st.data())
def test_repeated_observations_change_nothing(timeline: list[Observation], data: st.DataObject) -> None:
    repeated = list(timeline)
    for index in range(len(timeline), 0, -1):
        for again in data.draw(st.lists(st.sampled_from(timeline[:index]), max_size=2)):
            repeated.insert(index, again)
    assert fold(repeated) == fold(timeline)


@given(TIMELINES)
def test_observations_out_of_order_count_as_if_the_late_ones_had_never_come(
    timeline: list[Observation],
) -> None:
    in_order: list[Observation] = []
    for observation in timeline:
        if not in_order or observation.observed_at > in_order[-1].observed_at:
            in_order.append(observation)
    assert fold(timeline) == fold(in_order)


@given(TIMELINES)
def test_openings_are_counted_as_a_reader_would_count_them(timeline: list[Observation]) -> None:
    ordered = [replace(observation, observed_at=at(i)) for i, observation in enumerate(timeline)]
    counts = [o.open_seats for o in ordered if o.open_seats is not None]
    names = [o.instructor for o in ordered if o.instructor is not None]
    state, changes = fold(ordered)
    assert state.openings == sum(before == 0 < after for before, after in pairwise(counts))
    assert state.assignments == sum(before == UNASSIGNED != after for before, after in pairwise(names))
    rises = [change for change in changes if isinstance(change, SeatsRose)]
    assert [(rise.before, rise.after) for rise in rises] == [(a, b) for a, b in pairwise(counts) if b > a]


@given(TIMELINES)
def test_what_is_known_stays_known(timeline: list[Observation]) -> None:
    state = SectionState(KEY)
    for observation in timeline:
        after, _ = advance(state, observation)
        assert (after.open_seats is None) <= (state.open_seats is None)
        assert (after.instructor is None) <= (state.instructor is None)
        state = after


def test_missing_is_never_closed() -> None:
    state, _ = fold([seen(0, 4, "Ada Lovelace")])
    gone = miss(miss(state, Missing(KEY, at(1))), Missing(KEY, at(2)))
    assert (gone.open_seats, gone.instructor, gone.openings, gone.misses) == (4, "Ada Lovelace", 0, 2)
    assert advance(gone, seen(3, 4))[1] == ()


def test_a_section_that_was_never_seen_can_be_missed() -> None:
    assert miss(SectionState(KEY), Missing(KEY, at(0))).misses == 1


def test_the_same_miss_counts_once() -> None:
    once = miss(SectionState(KEY), Missing(KEY, at(1)))
    assert miss(once, Missing(KEY, at(1))) == once
    assert miss(once, Missing(KEY, at(0))) == once


@given(OBSERVATIONS)
def test_any_newer_observation_forgets_the_misses_and_the_retirement(observation: Observation) -> None:
    gone, _ = retire(SectionState(KEY, observed_at=at(-1), misses=3))
    back, _ = advance(gone, observation)
    assert (back.misses, back.retired, back.retirements) == (0, False, 1)


def test_each_retirement_is_an_episode_of_its_own() -> None:
    first, change = retire(SectionState(KEY, misses=3))
    assert (first.retired, change) == (True, SectionRetired(1))
    back, _ = advance(first, seen(1, 0))
    assert retire(back)[1] == SectionRetired(2)


@pytest.mark.parametrize(
    ("missing", "tracked", "is_doubted"),
    [
        *((0, 0, False), (0, 5, False), (1, 1, True), (1, 4, True), (1, 5, False), (1, 6, False)),
        *((2, 10, False), (3, 10, True), (20, 100, False), (21, 100, True), (100, 100, True)),
    ],
)
def test_more_than_a_fifth_missing_is_doubted_and_exactly_a_fifth_is_not(
    missing: int,
    tracked: int,
    is_doubted: bool,
) -> None:
    assert is_mass_missing(missing, tracked) is is_doubted


@given(st.integers(min_value=1, max_value=100_000))
def test_a_fifth_is_exact_at_every_size(fifth: int) -> None:
    assert not is_mass_missing(fifth, 5 * fifth)
    assert is_mass_missing(fifth + 1, 5 * fifth)
    assert is_mass_missing(fifth, 5 * fifth - 1)
