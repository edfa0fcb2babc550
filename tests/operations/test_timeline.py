from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from domain.errors import InvalidInputError
from domain.run import RunState
from domain.watch import NotificationKind
from operations import pauses, runs, watches
from operations import timeline as timelines
from operations.timeline_events import EventType, Timeline
from tests.operations.journal import do
from tests.support.catalog import Row
from tests.support.harness import Harness

HOUR = timedelta(hours=1)


def teach(rollcall: Harness, *names: str) -> None:
    """The section is taught by each of `names` in turn, a minute apart."""
    for name in names:
        rollcall.clock.advance(60)
        rollcall.catalog.rows[rollcall.key()] = Row(instructor=name)
        rollcall.run()


def see(rollcall: Harness, *counts: int, number: str = "12430") -> None:
    """The section is seen with each of `counts` in turn, a minute apart."""
    for open_seats in counts:
        rollcall.clock.advance(60)
        rollcall.catalog.rows[rollcall.key(number)] = Row(open_seats)
        rollcall.run()


def whats(timeline: Timeline) -> list[str]:
    """The events, the oldest first."""
    return [event.what.value for event in reversed(timeline.events)]


def said(timeline: Timeline, what: EventType) -> list[str]:
    return [event.text for event in reversed(timeline.events) if event.what is what]


def report(rollcall: Harness, kind: str) -> None:
    page, _ = rollcall.services.store.deliveries.page(watch_id=None, state=None, before=None, limit=1)
    rollcall.services.store.deliveries.record(
        kind, kind, provider_id=page[0].provider_id, address=page[0].notification.email,
        reason="no such user",
        now=rollcall.clock.advance(1),
    )  # fmt: skip


def test_a_watch_is_followed_from_seen_to_bounced(rollcall: Harness) -> None:
    stored = rollcall.watch()
    see(rollcall, 0, 2)
    report(rollcall, "bounced")
    found = timelines.of_watch(rollcall.services, stored.id)
    assert whats(found) == ["watched", "seen", "changed", "queued", "sent", "reported"]
    assert "0 open of 30" in said(found, EventType.CHANGED)[0]
    assert said(found, EventType.REPORTED) == ["bounced: seat_available to ada@example.edu (no such user)"]
    assert "Mail to ada@example.edu is suppressed: no such user." in found.standing
    assert {event.notification_id for event in found.events} == {None, 1}


@pytest.mark.parametrize(
    ("kinds", "min_seats", "counts", "why"),
    [
        ((NotificationKind.SECTION_RETIRED,), 1, (0, 1), "it does not want seat_available"),
        (tuple(NotificationKind), 3, (0, 2), "it waits for 3 seats"),
        (tuple(NotificationKind), 1, (1, 2), "seats enough were open before"),
    ],
)
def test_why_nothing_was_reported_is_said(
    rollcall: Harness, kinds: tuple[NotificationKind, ...], min_seats: int, counts: tuple[int, int], why: str
) -> None:
    stored = rollcall.watch(kinds=kinds, min_seats=min_seats)
    see(rollcall, *counts)
    found = timelines.of_watch(rollcall.services, stored.id)
    assert said(found, EventType.SILENT) == [f"seat_available not sent to ada@example.edu: {why}"]
    assert said(timelines.of_section(rollcall.services, rollcall.key()), EventType.SILENT) == [
        f"seat_available sent to no watch: {why}"
    ]


def test_what_opened_during_a_pause_is_said_to_have(rollcall: Harness) -> None:
    stored = rollcall.watch()
    see(rollcall, 0)
    do(rollcall, watches.PAUSE, "bob", watch_id=stored.id, length="1h")
    see(rollcall, 1)
    found = timelines.of_watch(rollcall.services, stored.id)
    assert said(found, EventType.SILENT) == ["seat_available not sent to ada@example.edu: it was paused"]
    assert said(found, EventType.OPERATOR) == ["watch.pause by bob"]
    assert said(timelines.of_section(rollcall.services, rollcall.key()), EventType.SILENT) == [
        "seat_available sent to no watch: it was paused"
    ]
    assert any("The watch is paused until" in reason for reason in found.standing)
    do(rollcall, watches.RESUME, "bob", watch_id=stored.id)
    see(rollcall, 0, 1)
    assert len(said(timelines.of_watch(rollcall.services, stored.id), EventType.SILENT)) == 1


def test_an_opening_is_notified_once_however_it_grows(rollcall: Harness) -> None:
    stored = rollcall.watch(min_seats=2)
    see(rollcall, 0, 2, 1, 2)
    found = timelines.of_watch(rollcall.services, stored.id)
    assert said(found, EventType.SILENT) == [
        "seat_available not sent to ada@example.edu: the watch was already notified of this opening"
    ]


def test_an_instructor_who_was_named_before_is_said_to_have_been(rollcall: Harness) -> None:
    stored = rollcall.watch()
    teach(rollcall, "Staff", "Ada Lovelace", "Staff", "Ada Lovelace")
    found = timelines.of_watch(rollcall.services, stored.id)
    assert said(found, EventType.SILENT) == [
        "instructor_assigned not sent to ada@example.edu: the last notification named the same instructor"
    ]


def test_what_holds_news_back_now_is_said(rollcall: Harness) -> None:
    stored = rollcall.watch()
    rollcall.services.breakers["scraper"].force_open("bob")
    do(rollcall, pauses.PAUSE, "bob", name="mail", reason="a flood")
    standing = timelines.of_watch(rollcall.services, stored.id).standing
    assert standing == [
        "It was never observed: its first observation will be a baseline, without notifications.",
        "It is not checked: the breaker of scraper is open.",
        "No mail leaves: mail is paused until 2026-01-15 10:00 UTC (a flood).",
    ]


def test_a_section_that_was_only_missed_was_never_seen(rollcall: Harness) -> None:
    stored = rollcall.watch()
    rollcall.run()
    assert timelines.of_watch(rollcall.services, stored.id).standing == [
        "It was never observed: its first observation will be a baseline, without notifications.",
        "The catalog did not have it the last time.",
    ]


def test_an_ended_watch_says_so_and_nothing_else(rollcall: Harness) -> None:
    stored = rollcall.watch()
    rollcall.services.store.watches.end(stored.id, "unsubscribed", rollcall.clock.advance(1))
    found = timelines.of_watch(rollcall.services, stored.id)
    assert "The watch has ended: unsubscribed." in found.standing
    assert whats(found) == ["watched", "ended"]


def test_a_section_shows_the_runs_that_left_it_out(rollcall: Harness) -> None:
    rollcall.watch()
    see(rollcall, 0)
    skipped, _ = do(rollcall, runs.TRIGGER, "bob", force=True).value
    rollcall.services.store.runs.abandon(
        skipped.id, RunState.SKIPPED, "the lease is held", rollcall.clock.advance(1)
    )
    found = timelines.of_section(rollcall.services, rollcall.key())
    assert said(found, EventType.RUN) == ["run skipped: the lease is held"]
    assert [event.run_id for event in found.events if event.run_id] == [skipped.id]


def test_an_address_has_all_its_watches_and_messages(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.watch("12431")
    rollcall.watch("12432", "bob@example.edu")
    see(rollcall, 0, 1)
    found = timelines.of_address(rollcall.services, "ADA@example.edu")
    assert whats(found) == ["watched", "watched", "queued", "sent"]
    assert found.standing == []


def test_a_message_that_waits_reports_what_it_waits_for(rollcall: Harness) -> None:
    rollcall.watch()
    do(rollcall, pauses.PAUSE, "bob", name="mail", reason="a flood")
    see(rollcall, 0, 1)
    found = timelines.of_notification(rollcall.services, 1)
    assert whats(found) == ["seen", "queued"]
    assert found.standing == ["No mail leaves: mail is paused until 2026-01-15 10:00 UTC (a flood)."]
    rollcall.advance(2 * 3600)
    assert timelines.of_notification(rollcall.services, 1).standing == []


@pytest.mark.parametrize(
    ("view", "field"),
    [
        (lambda rollcall: timelines.of_watch(rollcall.services, 7), "watch_id"),
        (lambda rollcall: timelines.of_section(rollcall.services, rollcall.key("99")), "section"),
        (lambda rollcall: timelines.of_address(rollcall.services, "nobody"), "email"),
        (lambda rollcall: timelines.of_notification(rollcall.services, 7), "notification_id"),
    ],
)
def test_what_does_not_exist_is_named(
    rollcall: Harness, view: Callable[[Harness], Timeline], field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        view(rollcall)
    assert set(caught.value.problems) == {field}


def test_a_section_that_is_not_listed_any_more_is_said_to_be_searched(rollcall: Harness) -> None:
    for number in range(12430, 12436):
        rollcall.watch(str(number))
        rollcall.catalog.rows[rollcall.key(str(number))] = Row(1)
    rollcall.run()
    del rollcall.catalog.rows[rollcall.key("12430")]
    for _ in range(3):
        rollcall.clock.advance(60)
        rollcall.run()
    standing = timelines.of_section(rollcall.services, rollcall.key("12430")).standing
    assert standing == ["The catalog no longer lists it: it is checked once a day."]
    stored = rollcall.services.store.watches.get(1)
    assert stored is not None
    assert watches.status(stored, rollcall.clock.now()) == "not listed"


def test_a_change_that_is_unconfirmed_is_said_to_be(rollcall: Harness) -> None:
    keys = [rollcall.key(str(number)) for number in range(12430, 12440)]
    for key in keys:
        rollcall.watch(key.number)
    for open_seats, capacity in ((3, 30), (0, 0)):
        rollcall.clock.advance(60)
        for key in keys:
            rollcall.catalog.rows[key] = Row(open_seats, capacity)
        rollcall.run()
    standing = timelines.of_section(rollcall.services, keys[0]).standing
    assert standing == [
        "It lost its capacity with many others of its term at once: further checks must confirm it."
    ]
