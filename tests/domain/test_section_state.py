from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import availability
from domain.availability import SeatFacts
from domain.observation import UNASSIGNED, Details, Missing, Observation, SectionStatus
from domain.section_state import (
    Anomaly,
    InstructorAssigned,
    SeatsFilled,
    SeatsIncreased,
    SectionRetired,
    SectionState,
    Waitlist,
    WaitlistOpened,
    advance,
    is_current,
    is_mass_missing,
    miss,
    retire,
)
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
    assert changes == [
        SeatsIncreased(0, 2, 1),
        SeatsFilled(2, 1),
        SeatsIncreased(0, 1, 2),
        SeatsFilled(1, 2),
        SeatsIncreased(0, 5, 3),
    ]
    assert (state.openings, state.fillings) == (3, 2)


def test_more_seats_in_an_open_section_belong_to_its_episode() -> None:
    assert fold(seen(minute, count) for minute, count in enumerate([0, 1, 3, 2, 4]))[1] == [
        SeatsIncreased(0, 1, 1),
        SeatsIncreased(1, 3, 1),
        SeatsIncreased(2, 4, 1),
    ]


def test_a_count_after_a_bare_status_is_a_baseline_unless_the_section_was_full() -> None:
    def uncounted(minute: int, open_seats: int) -> Observation:
        return replace(seen(minute, open_seats), is_counted=False)

    assert fold([uncounted(0, 1), seen(1, 5)])[1] == []
    assert fold([uncounted(0, 0), seen(1, 5)])[1] == [SeatsIncreased(0, 5, 1)]
    assert fold([seen(0, 0), uncounted(1, 1)])[1] == [SeatsIncreased(0, 1, 1)]


def test_what_a_catalog_states_besides_seats_is_kept_until_it_states_something_else() -> None:
    first = replace(
        seen(0, 0), status=SectionStatus.WAITLIST, waitlist_places=2, waitlist_length=7, as_of=at(0)
    )
    state, changes = fold([first, replace(seen(1), waitlist_length=8)])
    assert (state.status, state.waitlist_places, state.waitlist_length, state.as_of, changes) == (
        SectionStatus.WAITLIST,
        2,
        8,
        at(0),
        [],
    )


def test_more_seats_since_the_baseline_belong_to_episode_zero() -> None:
    assert fold([seen(0, 1), seen(1, 3)])[1] == [SeatsIncreased(1, 3, 0)]


def test_unknown_seats_neither_close_nor_open() -> None:
    state, changes = fold(seen(minute, count) for minute, count in enumerate([0, 2, None, 2, None, 1]))
    assert changes == [SeatsIncreased(0, 2, 1)]
    assert (state.open_seats, state.openings) == (1, 1)


def test_an_opening_during_unknown_answers_is_notified_when_it_is_seen() -> None:
    assert fold([seen(0, 0), seen(1, None), seen(2, 1)])[1] == [SeatsIncreased(0, 1, 1)]


def test_an_instructor_is_notified_only_where_there_was_none() -> None:
    names = [UNASSIGNED, "Ada Lovelace", "Grace Hopper", None, UNASSIGNED, None, "Ada Lovelace"]
    state, changes = fold(seen(minute, instructor=name) for minute, name in enumerate(names))
    assert changes == [InstructorAssigned("Ada Lovelace", 1), InstructorAssigned("Ada Lovelace", 2)]
    assert (state.instructor, state.assignments) == ("Ada Lovelace", 2)


def test_seats_and_an_instructor_that_change_together_are_both_notified() -> None:
    assert fold([seen(0, 0, UNASSIGNED), seen(1, 1, "Ada Lovelace")])[1] == [
        SeatsIncreased(0, 1, 1),
        InstructorAssigned("Ada Lovelace", 1),
    ]


def test_an_unknown_capacity_leaves_the_known_one() -> None:
    first = Observation(KEY, at(0), 1, 30, None)
    assert fold([first, seen(1, None), seen(2, 3)])[0].capacity == 30


def test_details_are_the_newest_ones() -> None:
    moved = replace(seen(1), details=Details(location="WLH 2001"))
    state, _ = fold([replace(seen(0), details=Details(location="CENTR 115")), moved])
    assert state.details.location == "WLH 2001"


def test_untold_details_stay_as_they_are_known() -> None:
    first = Details("CSE 100", "Data Structures", "WLH 2001", "MWF 10:00-10:50")
    untold = replace(seen(1), details=Details("CSE 100", "Advanced Data Structures"))
    state, _ = fold([replace(seen(0), details=first), untold])
    assert state.details == replace(first, title="Advanced Data Structures")


def reserving(minute: int, available: int, unreserved: int | None) -> Observation:
    """As a source says it that keeps seats for groups: of `available`, `unreserved` are for everybody."""
    reported = available if unreserved is None else unreserved
    return replace(seen(minute, reported), unreserved_seats=unreserved)


def test_unreserved_seats_that_are_untold_are_neither_none_nor_all() -> None:
    answers = [(5, 0), (5, None), (5, 0), (5, None)]
    state, changes = fold(reserving(minute, *answer) for minute, answer in enumerate(answers))
    assert (state.open_seats, state.unreserved_seats, changes) == (0, 0, [])


def test_until_unreserved_seats_are_reported_the_available_ones_count() -> None:
    answers = [(0, None), (4, None)]
    assert fold(reserving(minute, *each) for minute, each in enumerate(answers))[1] == [
        SeatsIncreased(0, 4, 1)
    ]


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 5))), max_size=12))
def test_untold_unreserved_seats_are_the_last_reported_ones_bounded_by_the_available(
    answers: list[tuple[int, int | None]],
) -> None:
    state, last = SectionState(KEY), None
    for minute, (available, unreserved) in enumerate(answers):
        state, _ = advance(state, reserving(minute, available, unreserved))
        if unreserved is None:
            assert state.open_seats == min(available, available if last is None else last)
        else:
            assert state.open_seats == unreserved
            last = unreserved


@given(TIMELINES, st.lists(st.integers(min_value=-10_000, max_value=10_000), min_size=14, max_size=14))
def test_no_clock_decides_what_is_news(timeline: list[Observation], minutes: list[int]) -> None:
    shifted = [
        replace(observation, observed_at=at(minute))
        for observation, minute in zip(timeline, minutes, strict=False)
    ]
    (state, changes), (other, others) = fold(timeline), fold(shifted)
    assert changes == others
    assert replace(other, observed_at=state.observed_at) == state


@given(TIMELINES, OBSERVATIONS)
def test_only_what_was_asked_for_since_the_last_answer_is_current(
    timeline: list[Observation], observation: Observation
) -> None:
    state, _ = fold(timeline)
    assert is_current(state, state.revision)
    after, _ = advance(state, observation)
    assert not is_current(after, state.revision)
    assert not is_current(miss(state, Missing(KEY, at(0))), state.revision)


@given(TIMELINES, st.data())
def test_repeated_observations_change_nothing(timeline: list[Observation], data: st.DataObject) -> None:
    repeated = list(timeline)
    for index in range(len(timeline), 0, -1):
        repeated[index:index] = [timeline[index - 1]] * data.draw(st.integers(min_value=0, max_value=2))
    (twice, reported), (once, changes) = fold(repeated), fold(timeline)
    assert reported == changes
    assert replace(twice, revision=once.revision) == once


@given(TIMELINES)
def test_openings_are_counted_as_a_reader_would_count_them(timeline: list[Observation]) -> None:
    ordered = [replace(observation, observed_at=at(i)) for i, observation in enumerate(timeline)]
    counts = [o.open_seats for o in ordered if o.open_seats is not None]
    names = [o.instructor for o in ordered if o.instructor is not None]
    state, changes = fold(ordered)
    assert state.openings == sum(before == 0 < after for before, after in pairwise(counts))
    assert state.assignments == sum(before == UNASSIGNED != after for before, after in pairwise(names))
    rises = [change for change in changes if isinstance(change, SeatsIncreased)]
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


def test_a_section_that_is_missing_is_unconfirmed_no_longer() -> None:
    state = replace(fold([seen(0, 4)])[0], anomalies={Anomaly.FULL: 2})
    assert miss(state, Missing(KEY, at(1))).anomalies == {}


def test_a_section_that_was_never_seen_can_be_missed() -> None:
    assert miss(SectionState(KEY), Missing(KEY, at(0))).misses == 1


@given(OBSERVATIONS)
def test_any_observation_forgets_the_misses_and_the_retirement(observation: Observation) -> None:
    gone, _ = retire(SectionState(KEY, observed_at=at(-1), misses=3))
    back, _ = advance(gone, observation)
    assert (back.misses, back.retired, back.retirements) == (0, False, 1)


def test_a_retired_section_that_is_listed_without_its_seats_opens_when_they_are_notified() -> None:
    gone, _ = retire(fold([seen(0, 4)])[0])
    back, changes = advance(gone, seen(1, None))
    assert changes == ()
    assert advance(back, seen(2, 4))[1] == (SeatsIncreased(0, 4, 1),)


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
def test_more_than_a_fifth_missing_is_unconfirmed_and_exactly_a_fifth_is_not(
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


def waitlist(
    minute: int, places: int | None, length: int | None = None, seats: int | None = 0
) -> Observation:
    return replace(seen(minute, seats), waitlist_places=places, waitlist_length=length)


def test_the_last_seat_fills_a_section_each_time_it_is_taken() -> None:
    state, changes = fold(
        [seen(0, 2), seen(1, 1), seen(2, 0), seen(3, 0), seen(4, 1), seen(5, None), seen(6, 0)]
    )
    assert changes == [SeatsFilled(1, 1), SeatsIncreased(0, 1, 1), SeatsFilled(1, 2)]
    assert state.fillings == 2


def test_a_cancelled_section_is_not_filled() -> None:
    gone = replace(seen(1, 0), status=SectionStatus.CANCELLED)
    assert fold([seen(0, 2), gone])[1] == []


def test_free_places_on_a_waitlist_open_it_each_time() -> None:
    state, changes = fold([waitlist(0, 0, 9), waitlist(1, 2, 7), waitlist(2, 0, 9), waitlist(3, 1, 8)])
    assert changes == [
        WaitlistOpened(Waitlist(0, 9), Waitlist(2, 7), 1),
        WaitlistOpened(Waitlist(0, 9), Waitlist(1, 8), 2),
    ]
    assert state.waitlist_openings == 2


def test_a_shorter_queue_belongs_to_the_opening_of_its_waitlist() -> None:
    opened, shorter = fold([waitlist(0, 0, 9), waitlist(1, 1, 9), waitlist(2, 1, 4), waitlist(3, 1, 6)])[1]
    assert (opened.episode, shorter) == (1, WaitlistOpened(Waitlist(1, 9), Waitlist(1, 4), 1))


def test_the_first_known_waitlist_is_a_baseline() -> None:
    assert fold([waitlist(0, None), waitlist(1, 3), waitlist(2, 3, 5)])[1] == []


def test_a_seat_that_opens_is_the_only_news_of_its_observation() -> None:
    state, changes = fold([waitlist(0, 0), waitlist(1, 4, seats=1)])
    assert changes == [SeatsIncreased(0, 1, 1)]
    assert state.waitlist_openings == 1


def test_an_open_status_keeps_a_known_count() -> None:
    bare = replace(seen(1, 1), is_counted=False)
    state, changes = fold([seen(0, 5), bare, seen(2, 5)])
    assert (state.open_seats, state.is_counted, changes) == (5, True, [])


def test_the_count_of_an_opening_that_had_none_belongs_to_its_episode() -> None:
    bare = replace(seen(1, 1), is_counted=False)
    assert fold([seen(0, 0), bare, seen(2, 5)])[1] == [SeatsIncreased(0, 1, 1), SeatsIncreased(1, 5, 1)]


def test_an_increase_states_the_unreserved_seats() -> None:
    first, second = (
        replace(seen(minute, count), unreserved_seats=count) for minute, count in ((0, 0), (1, 2))
    )
    assert fold([first, second])[1] == [SeatsIncreased(0, 2, 1, 2)]


COUNTS = st.none() | st.integers(min_value=-2, max_value=4)
ANSWERS = st.builds(
    SeatFacts,
    own=COUNTS,
    pool=COUNTS,
    unreserved=COUNTS,
    capacity=COUNTS,
    status=st.none() | st.sampled_from(SectionStatus),
    waitlist_places=COUNTS,
    waitlist_length=COUNTS,
)
EPISODES = ("openings", "fillings", "waitlist_openings", "assignments")


@given(st.lists(ANSWERS, max_size=14))
def test_no_answer_of_a_catalog_causes_false_news(answers: list[SeatFacts]) -> None:
    state = SectionState(KEY)
    for minute, facts in enumerate(answers):
        observation = availability.observation(KEY, at(minute), facts)
        after, changes = advance(state, observation)
        kinds = [type(change) for change in changes]
        if SeatsIncreased in kinds:
            assert facts.status not in {SectionStatus.CLOSED, SectionStatus.CANCELLED, SectionStatus.WAITLIST}
            assert None not in (state.open_seats, observation.open_seats)
            assert WaitlistOpened not in kinds
        if SeatsFilled in kinds:
            assert (bool(state.open_seats), after.open_seats) == (True, 0)
        if WaitlistOpened in kinds:
            assert facts.status not in {SectionStatus.CLOSED, SectionStatus.CANCELLED}
            assert state.waitlist_places is not None
            assert after.waitlist_places
        for name in EPISODES:
            assert 0 <= getattr(after, name) - getattr(state, name) <= 1
        state = after
