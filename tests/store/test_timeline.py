from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from domain.run import RunState
from domain.section import Stagger
from domain.watch import NotificationKind
from store.database import Database
from store.schema import notifications
from store.timeline import Timelines
from tests.store.harness import ADA, GRACE, StoreHarness, key


@pytest.fixture
def timelines(database: Database) -> Timelines:
    return Timelines(database)


def test_the_notifications_of_watches_come_newest_first(store: StoreHarness, timelines: Timelines) -> None:
    first, second, other = store.watch(), store.watch("12431"), store.watch("12432")
    for number in ("12430", "12431", "12432"):
        store.show(0, 1, number=number)
    found = timelines.notifications([first.id, second.id])
    assert [stored.notification.watch_id for stored in found] == [second.id, first.id]
    assert timelines.notifications([]) == []
    assert [stored.notification.watch_id for stored in timelines.notifications([other.id])] == [other.id]


def test_all_that_was_reported_is_known_however_much_it_is(store: StoreHarness, timelines: Timelines) -> None:
    watches = [store.watch().id, store.watch(email=GRACE).id]
    store.show(0, 1)
    (first, _) = store.notifications()
    with store.database.write() as connection:
        row = dict(connection.execute(select(notifications)).mappings().first() or {})
        later = [
            row | {"id": 10 + n, "episode": 10 + n, "observed_at_ms": row["observed_at_ms"] + 1 + n}
            for n in range(500)
        ]
        connection.execute(insert(notifications), later)
    assert first.notification.id not in {
        stored.notification.id for stored in timelines.notifications(watches)
    }
    notified = timelines.notified(watches)
    assert len(notified) == 501
    assert (NotificationKind.SEAT_AVAILABLE, first.notification.observed_at) in notified
    assert timelines.notified([]) == set()


def test_a_history_begins_with_its_first_observation(store: StoreHarness, timelines: Timelines) -> None:
    store.watch()
    assert timelines.first_seen_at(key()) is None
    store.show(0)
    began = store.clock.now()
    store.show(1, 2)
    assert timelines.first_seen_at(key()) == began


def test_the_reports_of_messages_come_in_their_order(store: StoreHarness, timelines: Timelines) -> None:
    store.watch()
    store.show(0, 1)
    store.send()
    (sent,) = store.notifications()
    assert sent.provider_id is not None
    for number, kind in enumerate(("delivered", "complained")):
        store.clock.advance(1)
        store.deliveries.record(
            str(number), kind, provider_id=sent.provider_id, address=ADA, reason="", now=store.clock.now()
        )
    assert [report.kind for report in timelines.reports([sent.provider_id])] == ["delivered", "complained"]
    assert timelines.reports(["another"]) == []


def test_runs_that_left_something_out_are_found_by_their_half(
    store: StoreHarness, timelines: Timelines
) -> None:
    store.watch()
    since = store.clock.now()
    store.show(0)
    skipped = store.open()
    store.runs.abandon(skipped.id, RunState.SKIPPED, "the lease is held", store.clock.now())
    found = timelines.incomplete([Stagger.ALL], since)
    assert [(run.id, run.reason) for run in found] == [(skipped.id, "the lease is held")]
    assert timelines.incomplete([Stagger.EVEN], since) == []
    store.clock.advance(1)
    assert timelines.incomplete([Stagger.ALL], store.clock.now()) == []
