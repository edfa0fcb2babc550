"""Waitlists, fillings and the conditions of watches, through the store."""

from __future__ import annotations

from dataclasses import replace

from domain.notification import NotificationState
from domain.notification_policy import OPEN_AGAIN, PLACES_GONE_AGAIN
from domain.observation import SectionStatus
from domain.watch import DEFAULT_KINDS, NotificationKind
from store.watch_import import WatchRequest
from tests.store.harness import ADA, GRACE, StoreHarness, key

WAITLIST = (NotificationKind.WAITLIST_AVAILABLE,)
FILLED = (NotificationKind.SEAT_FILLED,)


def show_waitlist(store: StoreHarness, *waitlists: tuple[int | None, int | None], seats: int = 0) -> None:
    for places, length in waitlists:
        store.clock.advance(1)
        seen = replace(store.observation(seats), waitlist_places=places, waitlist_length=length)
        store.check(seen)


def kinds(store: StoreHarness) -> list[tuple[str, NotificationKind]]:
    return [(each.notification.email, each.notification.kind) for each in store.notifications()]


def want(store: StoreHarness, **wanted: object) -> None:
    store.watches.add(replace(WatchRequest(ADA, key()), **wanted), store.clock.now())  # type: ignore[arg-type]  # each test names fields of its own


def test_a_free_waitlist_place_is_notified_to_those_who_want_it(store: StoreHarness) -> None:
    store.watch(kinds=WAITLIST)
    store.watch(email=GRACE)
    show_waitlist(store, (0, 9), (2, 7), (3, 6))
    assert kinds(store) == [(ADA, NotificationKind.WAITLIST_AVAILABLE)]
    notification = store.notifications()[0].notification
    assert (notification.waitlist_places, notification.waitlist_length, notification.episode) == (2, 7, 1)
    assert store.send() == [ADA]


def test_a_waitlist_that_was_too_long_for_a_while_is_notified_when_it_is_short_again(
    store: StoreHarness,
) -> None:
    want(store, kinds=WAITLIST, max_waitlist=5)
    show_waitlist(store, (0, 9), (1, 8))
    assert kinds(store) == []
    show_waitlist(store, (4, 5), (3, 6))
    assert store.send() == []
    assert store.notifications()[0].reason == PLACES_GONE_AGAIN
    show_waitlist(store, (4, 5))
    assert store.states() == [(1, NotificationState.PENDING)]
    assert store.send() == [ADA]


def test_a_seat_that_is_taken_is_notified_to_those_who_want_it(store: StoreHarness) -> None:
    store.watch(kinds=(*DEFAULT_KINDS, *FILLED))
    store.watch(email=GRACE)
    store.show(2, 0)
    assert kinds(store) == [(ADA, NotificationKind.SEAT_FILLED)]
    store.show(1)
    assert store.send() == [ADA, GRACE]
    assert kinds(store)[1:] == [
        (ADA, NotificationKind.SEAT_AVAILABLE),
        (GRACE, NotificationKind.SEAT_AVAILABLE),
    ]
    assert store.notifications()[0].reason == OPEN_AGAIN


def test_reserved_and_unknown_seats_do_not_count_for_who_wants_unreserved_ones(store: StoreHarness) -> None:
    want(store, unreserved_only=True)
    store.show(0, 2, 0)
    assert kinds(store) == []
    store.clock.advance(1)
    store.check(replace(store.observation(1), unreserved_seats=1))
    assert kinds(store) == [(ADA, NotificationKind.SEAT_AVAILABLE)]
    assert store.notifications()[0].notification.unreserved_seats == 1
    assert store.send() == [ADA]


def test_a_message_has_everything_that_the_catalog_stated(store: StoreHarness) -> None:
    store.watch()
    store.show(0)
    store.clock.advance(1)
    seen = replace(store.observation(1), status=SectionStatus.OPEN, is_counted=False, as_of=store.clock.now())
    store.check(seen)
    notification = store.notifications()[0].notification
    assert (notification.status, notification.is_counted) == (SectionStatus.OPEN, False)
    assert notification.as_of == store.clock.now()


def test_the_history_holds_the_waitlist(store: StoreHarness) -> None:
    store.watch()
    show_waitlist(store, (0, 9), (0, 9), (2, 7))
    history = store.sections.history(key())
    assert [(entry.waitlist_places, entry.waitlist_length) for entry in history] == [(2, 7), (0, 9)]
