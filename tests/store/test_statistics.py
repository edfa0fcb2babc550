from __future__ import annotations

from datetime import timedelta

import pytest

from store.database import Database
from store.statistics import Statistics
from tests.store.harness import StoreHarness

HOUR_SECONDS = 3600


@pytest.fixture
def statistics(database: Database) -> Statistics:
    return Statistics(database)


def test_each_hour_has_its_checks_and_openings(store: StoreHarness, statistics: Statistics) -> None:
    store.watch()
    store.show(0, 2, 1, 3, 0, 1)  # two openings: 0 to 2, and 0 to 1
    store.clock.advance(2 * HOUR_SECONDS)
    store.show(0, 1)
    hours = statistics.hours(store.clock.now(), 4)
    assert [(hour.start.hour, hour.checks, hour.failed, hour.openings) for hour in hours] == [
        (8, 0, 0, 0),
        (9, 6, 0, 2),
        (10, 0, 0, 0),
        (11, 2, 0, 1),
    ]


def test_a_baseline_is_no_opening(store: StoreHarness, statistics: Statistics) -> None:
    store.watch()
    store.show(2)
    assert sum(hour.openings for hour in statistics.hours(store.clock.now())) == 0


def test_what_is_older_is_left_out(store: StoreHarness, statistics: Statistics) -> None:
    store.watch()
    store.show(0, 1)
    store.clock.advance(25 * HOUR_SECONDS)
    hours = statistics.hours(store.clock.now())
    assert (len(hours), sum(hour.checks + hour.openings for hour in hours)) == (24, 0)


def test_the_latency_is_from_seen_to_handed_over(store: StoreHarness, statistics: Statistics) -> None:
    for number in range(4):
        store.watch(str(number))
        store.show(0, 1, number=str(number))
        store.clock.advance(number)
        store.send()
    found = statistics.latency(store.clock.now())
    assert (found.mails, found.p50_seconds, found.p99_seconds) == (4, 2.0, 3.0)


def test_without_a_mail_there_is_no_latency(store: StoreHarness, statistics: Statistics) -> None:
    store.watch()
    store.show(0, 1)
    store.send()
    store.clock.advance(2 * HOUR_SECONDS)
    found = statistics.latency(store.clock.now(), timedelta(hours=1))
    assert (found.mails, found.p50_seconds, found.p99_seconds) == (0, None, None)
