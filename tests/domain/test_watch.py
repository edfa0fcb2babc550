from __future__ import annotations

from collections import Counter
from itertools import chain, permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.observation import UNASSIGNED, Observation
from domain.section_state import (
    InstructorAssigned,
    SeatsFilled,
    SeatsIncreased,
    SectionAdded,
    SectionEvent,
    SectionRetired,
    Waitlist,
    WaitlistOpened,
)
from domain.watch import DEFAULT_KINDS, NotificationKind, Watch, default_kinds, kind_of
from tests.domain.timeline import KEY, TIMELINES, fold, notifications, seen, wants

ADA = "ada@example.edu"
CHANGES = [
    (SeatsIncreased(0, 1, 1), NotificationKind.SEAT_AVAILABLE),
    (InstructorAssigned("Grace Hopper", 1), NotificationKind.INSTRUCTOR_ASSIGNED),
    (SectionRetired(1), NotificationKind.SECTION_RETIRED),
    (SeatsFilled(1, 1), NotificationKind.SEAT_FILLED),
    (WaitlistOpened(Waitlist(0), Waitlist(1), 1), NotificationKind.WAITLIST_AVAILABLE),
    (SectionAdded(), NotificationKind.SECTION_ADDED),
]


@pytest.mark.parametrize(("change", "kind"), CHANGES)
def test_a_watch_wants_only_the_kinds_it_asked_for(change: SectionEvent, kind: NotificationKind) -> None:
    assert kind_of(change) is kind
    assert wants(Watch(ADA, KEY), change) is (kind in DEFAULT_KINDS)
    assert wants(Watch(ADA, KEY, (kind,)), change)
    assert not wants(Watch(ADA, KEY, tuple(other for other in NotificationKind if other is not kind)), change)


@pytest.mark.parametrize(("before", "after", "min_seats"), list(product(range(5), range(5), range(1, 5))))
def test_seats_are_news_exactly_when_they_rise_to_what_was_asked_for(
    before: int, after: int, min_seats: int
) -> None:
    watch = Watch(ADA, KEY, min_seats=min_seats)
    crosses = before < min_seats and after >= min_seats
    assert wants(watch, SeatsIncreased(before, after, 1)) is crosses


def test_someone_who_needs_three_seats_is_notified_when_the_third_comes() -> None:
    changes = fold(seen(minute, count) for minute, count in enumerate([0, 1, 2, 3, 4]))[1]
    assert notifications(Watch(ADA, KEY, min_seats=3), changes) == [(NotificationKind.SEAT_AVAILABLE, 1)]
    assert [change for change in changes if wants(Watch(ADA, KEY, min_seats=3), change)] == [
        SeatsIncreased(2, 3, 1)
    ]


def test_seats_that_fall_short_and_come_back_are_one_episode_until_none_is_left() -> None:
    counts = [0, 3, 1, 3, 0, 1, 3]
    changes = fold(seen(minute, count) for minute, count in enumerate(counts))[1]
    assert notifications(Watch(ADA, KEY, min_seats=3), changes) == [
        (NotificationKind.SEAT_AVAILABLE, 1),
        (NotificationKind.SEAT_AVAILABLE, 2),
    ]


@given(TIMELINES)
def test_however_observations_come_a_reader_is_notified_once_of_each_episode(
    timeline: list[Observation],
) -> None:
    state, changes = fold(timeline)
    wanted = [change for change in changes if wants(Watch(ADA, KEY), change)]
    episodes = Counter((kind_of(change), change.episode) for change in wanted)
    assert all(times == 1 for times in episodes.values())
    assert sorted(episode for kind, episode in episodes if kind is NotificationKind.SEAT_AVAILABLE) == list(
        range(1, state.openings + 1)
    )
    assert sorted(
        episode for kind, episode in episodes if kind is NotificationKind.INSTRUCTOR_ASSIGNED
    ) == list(range(1, state.assignments + 1))


@given(TIMELINES, st.integers(min_value=1, max_value=4))
def test_who_needs_more_seats_is_notified_of_no_more_episodes(
    timeline: list[Observation], needed: int
) -> None:
    state, changes = fold(timeline)
    episodes = [
        episode
        for _, episode in notifications(Watch(ADA, KEY, (NotificationKind.SEAT_AVAILABLE,), needed), changes)
    ]
    assert len(episodes) == len(set(episodes)) <= state.openings + 1
    assert episodes == sorted(episodes)


def test_every_order_and_repetition_of_a_short_story_reports_no_episode_twice() -> None:
    story = [seen(0, 0, UNASSIGNED), seen(1, 1, "Ada Lovelace"), seen(2, 0, UNASSIGNED), seen(3, 2, None)]
    repeated = (chain(order, order[::-1]) for order in permutations(story))
    for order in chain(permutations(story), repeated):
        changes = fold(order)[1]
        kinds = [(kind_of(change), change.episode) for change in changes if wants(Watch(ADA, KEY), change)]
        assert len(kinds) == len(set(kinds))


def test_the_names_of_the_kinds_are_those_of_the_header() -> None:
    assert set(NotificationKind) == {
        "seat_available",
        "waitlist_available",
        "instructor_assigned",
        "section_retired",
        "seat_filled",
        "section_added",
    }


def test_a_watch_is_notified_of_free_waitlist_places_by_default_where_its_catalog_states_them() -> None:
    assert [kind.value for kind in DEFAULT_KINDS] == [
        "seat_available",
        "instructor_assigned",
        "section_retired",
    ]
    assert default_kinds(has_waitlist=False) == DEFAULT_KINDS
    assert default_kinds(has_waitlist=True) == (*DEFAULT_KINDS, NotificationKind.WAITLIST_AVAILABLE)
