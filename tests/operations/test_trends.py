from __future__ import annotations

from observability.checks.unavailable import Unavailable
from operations import trends
from tests.support.catalog import Row
from tests.support.house import House


def test_the_hours_and_the_latency_are_read(rollcall: House) -> None:
    rollcall.watch()
    for open_seats in (0, 2):
        rollcall.catalog.rows[rollcall.key()] = Row(open_seats)
        rollcall.run()
        rollcall.clock.advance(1)
    found = trends.read(rollcall.services)
    assert not isinstance(found.hours, Unavailable)
    assert not isinstance(found.latency, Unavailable)
    assert (len(found.hours), found.hours[-1].checks, found.hours[-1].openings) == (24, 2, 1)
    assert (found.latency.mails, found.latency.p50_seconds) == (1, 0.0)


def test_one_that_cannot_be_read_does_not_hide_the_other(rollcall: House) -> None:
    with rollcall.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE runs RENAME TO runs_away")
    found = trends.read(rollcall.services)
    assert isinstance(found.hours, Unavailable)
    assert not isinstance(found.latency, Unavailable)
