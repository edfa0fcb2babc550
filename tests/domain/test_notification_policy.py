from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.notification_policy import (
    GONE_AGAIN,
    LISTED_AGAIN,
    NEVER,
    NOT_LISTED,
    OPEN_AGAIN,
    PLACES_GONE_AGAIN,
    SAME_INSTRUCTOR,
    SAME_OPENING,
    UNASSIGNED_AGAIN,
    Notified,
    SectionSnapshot,
    UnsentNotification,
    due_at,
    duplicate_reason,
    outdated,
    skip_reason,
    unmet_preference,
)
from domain.section_state import (
    InstructorAssigned,
    SeatsFilled,
    SeatsIncreased,
    SectionEvent,
    Waitlist,
    WaitlistOpened,
)
from domain.watch import NotificationKind, Watch
from tests.domain.timeline import KEY, START

WATCH = Watch("ada@example.edu", KEY, min_seats=2)
UNRESERVED = replace(WATCH, unreserved_only=True)
CAREFUL = Watch(WATCH.email, KEY, tuple(NotificationKind), max_waitlist=5)
COOLDOWN = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("watch", "change", "why"),
    [
        (WATCH, SeatsIncreased(0, 2, 1), None),
        (WATCH, SeatsIncreased(0, 1, 1), "it waits for 2 seats"),
        (WATCH, SeatsIncreased(2, 3, 1), "seats enough were open before"),
        (
            Watch(WATCH.email, KEY, (NotificationKind.SECTION_RETIRED,)),
            SeatsIncreased(0, 2, 1),
            "it does not want seat_available",
        ),
        (UNRESERVED, SeatsIncreased(0, 2, 1, 2), None),
        (UNRESERVED, SeatsIncreased(0, 2, 1, 1), "it waits for 2 unreserved seats"),
        (
            UNRESERVED,
            SeatsIncreased(0, 2, 1),
            "it waits for unreserved seats, and the catalog does not state whether these are reserved",
        ),
        (WATCH, SeatsFilled(1, 1), "it does not want seat_filled"),
        (CAREFUL, SeatsFilled(1, 1), None),
        (CAREFUL, WaitlistOpened(Waitlist(0, 9), Waitlist(2, 5), 1), None),
        (CAREFUL, WaitlistOpened(Waitlist(2, 6), Waitlist(3, 5), 1), None),
        (CAREFUL, WaitlistOpened(Waitlist(2, 5), Waitlist(3, 4), 1), "the waitlist was open before"),
        (CAREFUL, WaitlistOpened(Waitlist(2), Waitlist(3, 4), 1), "the waitlist was open before"),
        (CAREFUL, WaitlistOpened(Waitlist(0, 9), Waitlist(1, 6), 1), "it waits for a waitlist of at most 5"),
        (
            CAREFUL,
            WaitlistOpened(Waitlist(0), Waitlist(1), 1),
            "it waits for a waitlist of at most 5, and the catalog does not state how many wait",
        ),
        (replace(CAREFUL, max_waitlist=None), WaitlistOpened(Waitlist(0), Waitlist(1), 1), None),
    ],
)
def test_why_a_watch_does_not_want_a_change_is_said(
    watch: Watch, change: SectionEvent, why: str | None
) -> None:
    assert unmet_preference(watch, change) == skip_reason(watch, change, NEVER) == why


def test_each_opening_is_news_once() -> None:
    notified = Notified(episode=2)
    assert duplicate_reason(SeatsIncreased(0, 1, 3), notified) is None
    assert duplicate_reason(SeatsIncreased(0, 1, 2), notified) == SAME_OPENING


def test_a_withdrawn_opening_is_news_again_until_a_newer_one_has_come() -> None:
    assert duplicate_reason(SeatsIncreased(0, 1, 2), Notified(2, withdrawn_episode=2)) is None
    assert duplicate_reason(SeatsIncreased(0, 1, 2), Notified(3, withdrawn_episode=2)) == SAME_OPENING


def test_an_assignment_is_news_unless_it_names_who_was_named_last() -> None:
    notified = Notified(episode=1, instructor="Ada Lovelace")
    assert duplicate_reason(InstructorAssigned("Ada Lovelace", 2), notified) == SAME_INSTRUCTOR
    assert duplicate_reason(InstructorAssigned("Grace Hopper", 2), notified) is None
    assert duplicate_reason(InstructorAssigned("Ada Lovelace", 2), NEVER) is None


@given(st.integers(min_value=-100_000, max_value=100_000))
def test_no_one_waits_longer_than_the_cooldown_whatever_time_the_last_message_bears(
    ago: int,
) -> None:
    left_at = START - timedelta(seconds=ago)
    due = due_at(Notified(1, last_sent_at=left_at), START, COOLDOWN)
    assert START <= due <= START + COOLDOWN
    if ago >= 0:
        assert due == max(START, left_at + COOLDOWN)


def test_a_first_notification_is_due_at_once() -> None:
    assert due_at(NEVER, START, COOLDOWN) == START


STANDING = SectionSnapshot(
    open_seats=2, openings=3, instructor="Ada Lovelace", assignments=1, retired=False, retirements=1
)


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({}, None),
        ({"open_seats": 9}, None),
        ({"open_seats": 1}, GONE_AGAIN),
        ({"open_seats": 0}, GONE_AGAIN),
        ({"open_seats": None}, GONE_AGAIN),
        ({"openings": 4}, GONE_AGAIN),
        ({"retired": True}, NOT_LISTED),
        ({"instructor": ""}, None),
    ],
)
def test_an_opening_is_outdated_once_its_seats_are_gone(known: dict[str, Any], why: str | None) -> None:
    unsent = UnsentNotification(WATCH, NotificationKind.SEAT_AVAILABLE, 3, "Ada Lovelace")
    assert outdated(unsent, replace(STANDING, **known)) == why


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({}, None),
        ({"instructor": "Grace Hopper"}, None),  # who followed: the message names her
        ({"instructor": ""}, UNASSIGNED_AGAIN),
        ({"assignments": 2}, None),  # the same again: no other notification reports it
        ({"assignments": 2, "instructor": "Grace Hopper"}, UNASSIGNED_AGAIN),
        ({"open_seats": 0}, None),
    ],
)
def test_an_assignment_is_outdated_once_no_one_is_assigned(known: dict[str, Any], why: str | None) -> None:
    unsent = UnsentNotification(WATCH, NotificationKind.INSTRUCTOR_ASSIGNED, 1, "Ada Lovelace")
    assert outdated(unsent, replace(STANDING, **known)) == why


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"retired": True}, None),
        ({"retired": False}, LISTED_AGAIN),
        ({"retired": True, "retirements": 2}, LISTED_AGAIN),
    ],
)
def test_a_retirement_is_outdated_once_the_section_is_listed(known: dict[str, Any], why: str | None) -> None:
    unsent = UnsentNotification(WATCH, NotificationKind.SECTION_RETIRED, 1, None)
    assert outdated(unsent, replace(STANDING, **known)) == why


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"unreserved_seats": 2}, None),
        ({"unreserved_seats": 1}, GONE_AGAIN),
        ({"unreserved_seats": None}, GONE_AGAIN),
    ],
)
def test_an_opening_is_outdated_once_its_seats_are_reserved(known: dict[str, Any], why: str | None) -> None:
    unsent = UnsentNotification(UNRESERVED, NotificationKind.SEAT_AVAILABLE, 3, None)
    assert outdated(unsent, replace(STANDING, **known)) == why


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({}, None),
        ({"waitlist_places": 0}, PLACES_GONE_AGAIN),
        ({"waitlist_places": None}, PLACES_GONE_AGAIN),
        ({"waitlist_length": 6}, PLACES_GONE_AGAIN),
        ({"waitlist_length": None}, PLACES_GONE_AGAIN),
        ({"waitlist_openings": 2}, PLACES_GONE_AGAIN),
        ({"retired": True}, NOT_LISTED),
        ({"open_seats": 0}, None),
    ],
)
def test_a_waitlist_place_is_outdated_once_it_is_taken(known: dict[str, Any], why: str | None) -> None:
    now = replace(STANDING, waitlist_places=1, waitlist_length=5, waitlist_openings=1)
    unsent = UnsentNotification(CAREFUL, NotificationKind.WAITLIST_AVAILABLE, 1, None)
    assert outdated(unsent, replace(now, **known)) == why


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({}, None),
        ({"open_seats": 1}, OPEN_AGAIN),
        ({"open_seats": None}, OPEN_AGAIN),
        ({"fillings": 2}, OPEN_AGAIN),
        ({"retired": True}, NOT_LISTED),
    ],
)
def test_a_filling_is_outdated_once_a_seat_is_open(known: dict[str, Any], why: str | None) -> None:
    unsent = UnsentNotification(CAREFUL, NotificationKind.SEAT_FILLED, 1, None)
    assert outdated(unsent, replace(STANDING, **{"open_seats": 0, "fillings": 1} | known)) == why


def test_a_new_section_is_outdated_only_if_it_is_gone() -> None:
    unsent = UnsentNotification(CAREFUL, NotificationKind.SECTION_ADDED, 1, None)
    assert outdated(unsent, STANDING) is None
    assert outdated(unsent, replace(STANDING, retired=True)) == NOT_LISTED
