from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import InvalidInputError
from domain.observation import Details, Missing
from domain.section_state import SectionState, miss
from domain.watch import NotificationKind
from operations import watches
from operations.new_watches import ADD, IMPORT
from operations.operation import Operation
from operations.watch_filters import EXPORT
from tests.operations.journal import do, recorded
from tests.support.catalog import Row
from tests.support.harness import Harness

HOUR = timedelta(hours=1)


def test_a_watch_is_added_paused_resumed_and_ended_and_all_is_recorded(rollcall: Harness) -> None:
    wanted = {"email": "ada@example.edu", "term": "2261", "section": "12430"}
    added = do(rollcall, ADD, **wanted).value
    assert added.is_new
    assert not do(rollcall, ADD, **wanted, min_seats=2).value.is_new
    stored = added.stored
    paused = do(rollcall, watches.PAUSE, "bob", watch_id=stored.id, length="1h").value
    assert paused.paused_until == rollcall.clock.now() + HOUR
    assert do(rollcall, watches.RESUME, "bob", watch_id=stored.id).value.paused_until is None
    do(rollcall, watches.END, watch_id=stored.id)
    subject = f"watch/{stored.id}"
    assert recorded(rollcall) == [
        ("ada", "watch.add", subject, 1),
        ("ada", "watch.add", subject, 1),
        ("bob", "watch.pause", subject, 1),
        ("bob", "watch.resume", subject, 1),
        ("ada", "watch.end", subject, 1),
    ]


def test_a_paused_watch_gets_no_message_and_the_next_opening_after_it_does(rollcall: Harness) -> None:
    stored = rollcall.watch()
    do(rollcall, watches.PAUSE, watch_id=stored.id)
    for open_seats in (0, 2):
        rollcall.catalog.rows[rollcall.key()] = Row(open_seats)
        rollcall.run()
        rollcall.clock.advance(60)
    assert rollcall.mailer.sent == []
    do(rollcall, watches.RESUME, watch_id=stored.id)
    for open_seats in (0, 1):
        rollcall.catalog.rows[rollcall.key()] = Row(open_seats)
        rollcall.run()
        rollcall.clock.advance(60)
    assert len(rollcall.mailer.sent) == 1


@pytest.mark.parametrize("operation", [watches.END, watches.PAUSE, watches.RESUME])
def test_a_watch_that_is_not_active_is_named(rollcall: Harness, operation: Operation[Any, Any]) -> None:
    with pytest.raises(InvalidInputError, match="no active watch has the number 7") as caught:
        do(rollcall, operation, watch_id=7)
    assert set(caught.value.problems) == {"watch_id"}
    assert recorded(rollcall) == []


def test_what_is_exported_can_be_imported_and_changes_nothing(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.watch(
        "12431", "bob@example.edu", (NotificationKind.SEAT_AVAILABLE, NotificationKind.SECTION_RETIRED), 3
    )
    sheet = "".join(do(rollcall, EXPORT).value)
    assert sheet.splitlines() == [
        "email,source,term,section,kinds,min_seats,unreserved_only,max_waitlist",
        "ada@example.edu,scraper,2261,12430,seat_available|instructor_assigned|section_retired,1,,",
        "bob@example.edu,scraper,2261,12431,seat_available|section_retired,3,,",
    ]
    before = [stored.watch for stored in watches.active(rollcall.services)]
    done = do(rollcall, IMPORT, csv=sheet).value
    assert (done.created, done.existing, done.rejected) == (0, 2, [])
    assert [stored.watch for stored in watches.active(rollcall.services)] == before
    assert recorded(rollcall) == [
        ("ada", "watch.export", "watches", 1),
        ("ada", "watch.import", "watches", 2),
    ]


def test_a_section_that_its_source_never_had_was_never_seen(rollcall: Harness) -> None:
    now, key = rollcall.clock.now(), rollcall.key()
    unseen = SectionState(key)
    assert watches.seen_at(unseen) is None
    assert watches.seen_at(miss(unseen, Missing(key, now))) is None
    for said in ({"open_seats": 0}, {"capacity": 0}, {"instructor": ""}, {"details": Details("CSE 100")}):
        assert watches.seen_at(replace(unseen, observed_at=now, **said)) == now


@pytest.mark.parametrize(("number", "hour", "minute"), [("12430", 10, 0), ("12431", 9, 30)])
def test_a_section_is_next_checked_with_its_half(
    rollcall: Harness, number: str, hour: int, minute: int
) -> None:
    at = watches.next_check_at(rollcall.admin, rollcall.key(number))
    assert at == datetime(2026, 1, 15, hour, minute, tzinfo=UTC)


def test_no_one_knows_the_next_check_where_nothing_is_scheduled(rollcall: Harness) -> None:
    room = replace(rollcall.admin, is_scheduled=False)
    assert watches.next_check_at(room, rollcall.key()) is None


def test_no_one_knows_the_next_check_where_the_check_schedule_chooses(rollcall: Harness) -> None:
    room = replace(rollcall.admin, services=replace(rollcall.services, is_budgeted=True))
    assert watches.next_check_at(room, rollcall.key()) is None
