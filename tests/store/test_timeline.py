from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from domain.run import RunState
from domain.section import Stagger
from domain.watch import NotificationKind
from store.database import Database
from store.schema import notifications
from store.timeline import Timelines
from tests.store.desk import ADA, GRACE, Desk, key


@pytest.fixture
def timelines(database: Database) -> Timelines:
    return Timelines(database)


def test_the_notifications_of_watches_come_newest_first(desk: Desk, timelines: Timelines) -> None:
    first, second, other = desk.watch(), desk.watch("12431"), desk.watch("12432")
    for number in ("12430", "12431", "12432"):
        desk.show(0, 1, number=number)
    found = timelines.notifications([first.id, second.id])
    assert [stored.notification.watch_id for stored in found] == [second.id, first.id]
    assert timelines.notifications([]) == []
    assert [stored.notification.watch_id for stored in timelines.notifications([other.id])] == [other.id]


def test_all_that_was_reported_is_known_however_much_it_is(desk: Desk, timelines: Timelines) -> None:
    watches = [desk.watch().id, desk.watch(email=GRACE).id]
    desk.show(0, 1)
    (first, _) = desk.notifications()
    with desk.database.write() as connection:
        row = dict(connection.execute(select(notifications)).mappings().first() or {})
        later = [
            row | {"id": 10 + n, "episode": 10 + n, "observed_at_ms": row["observed_at_ms"] + 1 + n}
            for n in range(500)
        ]
        connection.execute(insert(notifications), later)
    assert first.notification.id not in {
        stored.notification.id for stored in timelines.notifications(watches)
    }
    told = timelines.notified(watches)
    assert len(told) == 501
    assert (NotificationKind.SEAT_AVAILABLE, first.notification.observed_at) in told
    assert timelines.notified([]) == set()


def test_a_history_begins_with_its_first_observation(desk: Desk, timelines: Timelines) -> None:
    desk.watch()
    assert timelines.first_seen_at(key()) is None
    desk.show(0)
    began = desk.clock.now()
    desk.show(1, 2)
    assert timelines.first_seen_at(key()) == began


def test_the_reports_of_messages_come_in_their_order(desk: Desk, timelines: Timelines) -> None:
    desk.watch()
    desk.show(0, 1)
    desk.send()
    (sent,) = desk.notifications()
    assert sent.provider_id is not None
    for number, kind in enumerate(("delivered", "complained")):
        desk.clock.advance(1)
        desk.deliveries.record(
            str(number), kind, provider_id=sent.provider_id, address=ADA, reason="", now=desk.clock.now()
        )
    assert [report.kind for report in timelines.reports([sent.provider_id])] == ["delivered", "complained"]
    assert timelines.reports(["another"]) == []


def test_runs_that_left_something_out_are_found_by_their_half(desk: Desk, timelines: Timelines) -> None:
    desk.watch()
    since = desk.clock.now()
    desk.show(0)
    skipped = desk.open()
    desk.runs.abandon(skipped.id, RunState.SKIPPED, "the lease is held", desk.clock.now())
    found = timelines.incomplete([Stagger.ALL], since)
    assert [(run.id, run.reason) for run in found] == [(skipped.id, "the lease is held")]
    assert timelines.incomplete([Stagger.EVEN], since) == []
    desk.clock.advance(1)
    assert timelines.incomplete([Stagger.ALL], desk.clock.now()) == []
