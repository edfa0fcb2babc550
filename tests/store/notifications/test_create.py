from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from domain.notification import NotificationState
from domain.observation import UNASSIGNED
from domain.watch import NotificationKind
from store.database import Database
from store.schema import sections
from tests.store.harness import ADA, DETAILS, GRACE, StoreHarness, key

COOLDOWN = timedelta(seconds=600)
PENDING, SENT, SUPPRESSED = NotificationState.PENDING, NotificationState.SENT, NotificationState.SUPPRESSED


@pytest.fixture
def store(database: Database) -> StoreHarness:
    """Here with a cooldown of ten minutes."""
    return StoreHarness(database, COOLDOWN)


def _due(store: StoreHarness) -> list[datetime]:
    return [stored.due_at for stored in store.notifications() if stored.state is PENDING]


def test_a_notification_holds_what_was_seen_when_it_was_seen(store: StoreHarness) -> None:
    watch = store.watch()
    store.check(store.observation(0, "Ada Lovelace"))
    opened_at = store.clock.advance(1)
    store.check(store.observation(2, "Ada Lovelace"))
    store.show(9)
    (stored,) = store.notifications()
    notification = stored.notification
    assert (notification.watch_id, notification.email, notification.key) == (watch.id, ADA, key())
    assert (notification.kind, notification.episode, notification.observed_at) == (
        NotificationKind.SEAT_AVAILABLE,
        1,
        opened_at,
    )
    assert (notification.open_seats, notification.capacity, notification.instructor) == (
        2,
        30,
        "Ada Lovelace",
    )
    assert notification.details == DETAILS
    assert (stored.state, stored.created_at, stored.due_at) == (PENDING, opened_at, opened_at)


def test_a_first_message_leaves_at_once(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 1)
    assert store.send() == [ADA]


def test_within_the_cooldown_a_notification_waits_for_the_rest_of_it(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 1)
    left_at = store.clock.now()
    store.send()
    store.show(0, 1)
    assert store.send() == []
    assert _due(store) == [left_at + COOLDOWN]
    store.clock.advance(COOLDOWN.total_seconds())
    assert store.send() == [ADA]
    assert store.states() == [(1, SENT), (2, SENT)]


def test_after_the_cooldown_a_message_leaves_at_once(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 1)
    store.send()
    store.clock.advance(COOLDOWN.total_seconds())
    store.show(0, 1)
    assert store.send() == [ADA]


def test_a_newer_opening_takes_the_place_of_one_that_waits(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 1)
    left_at = store.clock.now()
    store.send()
    store.show(0, 1, 0, 5)
    assert store.states() == [(1, SENT), (2, SUPPRESSED), (3, PENDING)]
    assert _due(store) == [left_at + COOLDOWN]
    store.clock.advance(COOLDOWN.total_seconds())
    assert store.send() == [ADA]
    assert store.notifications()[-1].notification.open_seats == 5


def test_seats_that_are_gone_when_the_cooldown_is_over_are_not_notified(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 1)
    store.send()
    store.show(0, 1, 0)
    store.clock.advance(COOLDOWN.total_seconds())
    assert store.send() == []
    assert store.states() == [(1, SENT), (2, SUPPRESSED)]
    assert store.notifications()[-1].reason == "the seats were gone again before the mail left"


def test_too_few_seats_when_the_cooldown_is_over_are_not_reported(store: StoreHarness) -> None:
    store.watch(min_seats=3)
    store.show(0, 3)
    store.send()
    store.show(0, 3, 2)
    store.clock.advance(COOLDOWN.total_seconds())
    assert store.send() == []


def test_an_opening_whose_seats_were_too_few_for_a_while_is_notified_when_they_are_enough_again(
    store: StoreHarness,
) -> None:
    store.watch(min_seats=2)
    store.show(0, 2)
    store.send()
    store.show(0, 2, 1)
    store.clock.advance(COOLDOWN.total_seconds())
    assert store.send() == []
    assert store.states() == [(1, SENT), (2, SUPPRESSED)]

    store.show(5)

    assert store.states() == [(1, SENT), (2, PENDING)]
    assert store.send() == [ADA]
    notified = store.notifications()[-1]
    assert (notified.notification.open_seats, notified.reason) == (5, None)
    store.show(1, 9)
    assert store.send() == []


def test_the_cooldown_begins_when_the_message_left_and_not_when_it_was_due(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 1)
    left_at = store.clock.advance(540)  # no letter could leave until now
    store.send()
    store.show(0, 1)
    assert _due(store) == [left_at + COOLDOWN]


def test_openings_while_no_message_can_leave_become_one_message(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 1, 0, 2, 0, 3, seconds=300)
    assert store.states() == [(1, SUPPRESSED), (2, SUPPRESSED), (3, PENDING)]
    assert store.send() == [ADA]


def test_a_message_that_is_on_its_way_counts_as_leaving_now(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 1)
    store.attempted()
    store.show(0, 1)
    assert _due(store) == [store.clock.now() + COOLDOWN]


def test_instructors_that_come_and_go_become_one_message_after_the_cooldown(store: StoreHarness) -> None:
    store.watch()

    def teach(*names: str) -> None:
        for name in names:
            store.clock.advance(1)
            store.check(store.observation(0, name))

    teach(UNASSIGNED, "Ada Lovelace")
    assert store.send() == [ADA]
    teach(UNASSIGNED, "Alan Turing", UNASSIGNED, "Grace Hopper")
    store.clock.advance(COOLDOWN.total_seconds())
    assert store.send() == [ADA]
    assert store.states() == [(1, SENT), (2, SUPPRESSED), (3, SENT)]


def test_each_kind_and_each_watch_cools_down_by_itself(store: StoreHarness) -> None:
    store.watch()
    store.check(store.observation(0, UNASSIGNED))
    store.clock.advance(1)
    store.check(store.observation(1, UNASSIGNED))
    assert store.send() == [ADA]
    store.watch(email=GRACE)
    for seats in (0, 1):
        store.clock.advance(1)
        store.check(store.observation(seats, "Ada Lovelace" if seats else UNASSIGNED))
    assert sorted(store.send()) == [ADA, GRACE, GRACE]


def test_without_a_cooldown_every_episode_is_reported_at_once(store: StoreHarness) -> None:
    eager = replace(store, cooldown=timedelta(0))
    eager.watch()
    for episode in (1, 2):
        eager.show(0, 1)
        assert eager.states()[-1] == (episode, PENDING)
        assert eager.send() == [ADA]


def test_someone_who_opts_out_and_in_again_is_a_new_watch_without_a_past(store: StoreHarness) -> None:
    first = store.watch()
    store.show(0, 1)
    store.send()
    store.watches.end(first.id, "unsubscribed", store.clock.now())
    second = store.watch()
    store.show(0, 1)
    assert store.send() == [ADA]
    assert [stored.notification.watch_id for stored in store.notifications()] == [first.id, second.id]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(min_value=1, max_value=400), st.sampled_from([0, 0, 1, 2, None]), st.booleans()
        ),
        max_size=14,
    )
)
def test_two_messages_never_leave_within_the_cooldown(
    store: StoreHarness, story: list[tuple[int, int | None, bool]]
) -> None:
    number = f"9{len(store.watches.page(email=ADA, section=None, after=None, limit=1000)[0])}"
    watch = store.watch(number)
    for seconds, open_seats, can_send in story:
        store.show(open_seats, number=number, seconds=seconds)
        if can_send:
            store.send()
    store.clock.advance(COOLDOWN.total_seconds())
    store.send()
    page, _ = store.deliveries.page(watch_id=watch.id, state=None, before=None, limit=100)
    left = sorted(stored.sent_at for stored in page if stored.sent_at is not None)
    assert all(later - earlier >= COOLDOWN for earlier, later in pairwise(left))
    assert {stored.state for stored in page} <= {SENT, SUPPRESSED}


def test_a_paused_watch_is_not_notified_and_the_next_opening_after_it_is(store: StoreHarness) -> None:
    stored = store.watch()
    store.show(0)
    store.watches.pause(stored.id, store.clock.now() + timedelta(hours=1))
    assert store.show(2).notifications == 0
    store.clock.advance(3600)
    assert store.show(3).notifications == 0
    assert store.show(0, 1).notifications == 1
    assert [stored.notification.episode for stored in store.notifications()] == [2]


def test_an_instructor_who_is_assigned_again_is_notified_once(store: StoreHarness) -> None:
    store.watch()
    for name in (UNASSIGNED, "Ada Lovelace", UNASSIGNED, "Ada Lovelace", UNASSIGNED, "Ada Lovelace"):
        store.clock.advance(3600)
        store.check(store.observation(1, name))
        store.send()
    assert [(each.notification.episode, each.notification.instructor) for each in store.notifications()] == [
        (1, "Ada Lovelace")
    ]


def test_another_instructor_is_notified_and_then_the_first_one_again(store: StoreHarness) -> None:
    store.watch()
    for name in (UNASSIGNED, "Ada Lovelace", UNASSIGNED, "Grace Hopper", UNASSIGNED, "Ada Lovelace"):
        store.clock.advance(3600)
        store.check(store.observation(1, name))
        store.send()
    named = [each.notification.instructor for each in store.notifications()]
    assert named == ["Ada Lovelace", "Grace Hopper", "Ada Lovelace"]


def test_an_instructor_whose_notification_was_withdrawn_is_notified_again(store: StoreHarness) -> None:
    watch = store.watch()
    store.check(store.observation(1, UNASSIGNED))
    store.clock.advance(1)
    store.check(store.observation(1, "Ada Lovelace"))
    store.watches.pause(watch.id, store.clock.now() + timedelta(seconds=30))
    assert store.send() == []
    store.watches.pause(watch.id, None)
    for name in (UNASSIGNED, "Ada Lovelace"):
        store.clock.advance(60)
        store.check(store.observation(1, name))
    assert store.send() == [ADA]
    assert store.states() == [(1, SUPPRESSED), (2, SENT)]


def test_a_message_that_claims_to_have_left_tomorrow_silences_for_one_cooldown(store: StoreHarness) -> None:
    store.watch()
    store.clock.advance(86_400)
    store.show(0, 1)
    store.send()
    store.clock.advance(-86_400)
    with store.database.write() as connection:  # as if observations were in order all the same
        connection.execute(update(sections).values(observed_at_ms=None))
    store.show(0, 1)
    assert _due(store) == [store.clock.now() + COOLDOWN]
