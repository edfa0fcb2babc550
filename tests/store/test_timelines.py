from __future__ import annotations

import pytest

from domain.run import RunState
from domain.section import Stagger
from store.database import Database
from store.timelines import Timelines
from tests.store.desk import ADA, Desk


@pytest.fixture
def timelines(database: Database) -> Timelines:
    return Timelines(database)


def test_the_notifications_of_watches_come_newest_first(desk: Desk, timelines: Timelines) -> None:
    first, second, other = desk.watch(), desk.watch("12431"), desk.watch("12432")
    for number in ("12430", "12431", "12432"):
        desk.show(0, 1, number=number)
    found = timelines.notices([first.id, second.id])
    assert [stored.notice.watch_id for stored in found] == [second.id, first.id]
    assert timelines.notices([]) == []
    assert [stored.notice.watch_id for stored in timelines.notices([other.id])] == [other.id]


def test_the_reports_of_letters_come_in_their_order(desk: Desk, timelines: Timelines) -> None:
    desk.watch()
    desk.show(0, 1)
    desk.send()
    (sent,) = desk.notices()
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
