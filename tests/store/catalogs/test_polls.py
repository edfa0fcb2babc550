from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from domain.catalog import CatalogFault
from domain.catalog_poll import GuardState
from store.catalogs.polls import SupersededPollError
from store.schema import catalog_terms, course_watches
from tests.store.catalogs.catalog import TERM, PolledCatalog
from tests.store.harness import ADA, StoreHarness

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def current_term(store: StoreHarness, code: str) -> None:
    row = {"source": "utsa", "code": code, "label": code, "position": 0, "state": "current", "seen_at_ms": 0}
    with store.database.write() as connection:
        connection.execute(insert(catalog_terms).values(row))


def course_watch(store: StoreHarness, course: str) -> None:
    row = {"email": ADA, "source": "utsa", "term": TERM[1], "course": course, "kinds": [], "min_seats": 1}
    with store.database.write() as connection:
        connection.execute(insert(course_watches).values(row | {"created_at_ms": 0}))


def test_a_term_is_polled_while_a_section_or_a_course_is_watched_or_it_is_the_current_one(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    assert store.polls.due_times(["utsa"]) == {}
    stored = catalog.watch("101")
    store.watch("12430")  # of a source that is not polled
    current_term(store, "202510")
    assert store.polls.due_times(["utsa"]) == {TERM: LONG_AGO, ("utsa", "202510"): LONG_AGO}
    store.watches.end(stored.id, "stopped", store.clock.now())
    assert store.polls.due_times(["utsa"]) == {("utsa", "202510"): LONG_AGO}
    course_watch(store, "CSE 100")
    assert TERM in store.polls.due_times(["utsa"])
    assert store.polls.due_times(["temple"]) == {}


def test_a_poll_covers_watched_sections_and_courses(store: StoreHarness, catalog: PolledCatalog) -> None:
    catalog.poll(n101=3, n102=0)
    catalog.watch("102")
    course_watch(store, "CSE 100")
    course_watch(store, "MATH 20A")
    poll = catalog.begin()
    (row,) = poll.watched
    assert (row.number, row.course, row.open_seats, row.is_retired) == ("102", "CSE 100", 0, False)
    assert poll.courses == {"CSE 100": "101", "MATH 20A": None}


def test_the_outcome_of_a_poll_is_counted(store: StoreHarness, catalog: PolledCatalog) -> None:
    catalog.watch("101")
    now = store.clock.now()
    catalog.finish(catalog.begin(), is_complete=True, rows=12, requests=2, changed=5, as_of=now)
    found = store.polls.all()[TERM]
    assert (found.polls, found.requests, found.changed, found.known_rows) == (1, 2, 5, 12)
    assert (found.completed_at, found.swept_at, found.as_of, found.failures) == (now, now, now, 0)
    assert store.polls.due_times(["utsa"]) == {TERM: now + timedelta(seconds=60)}
    assert found.guard is GuardState.CLEAR

    store.clock.advance(60)
    catalog.finish(catalog.begin(), requests=1, fault=CatalogFault.PARTIAL, error="PartialAnswerError: cut")
    found = store.polls.all()[TERM]
    assert (found.polls, found.requests, found.failures, found.fault) == (2, 3, 1, CatalogFault.PARTIAL)
    assert (found.completed_at, found.known_rows, found.as_of) == (now, 12, now)

    catalog.finish(catalog.begin(), is_complete=True)  # of the watched sections
    found = store.polls.all()[TERM]
    assert (found.failures, found.fault, found.error) == (0, None, None)
    assert (found.completed_at, found.swept_at, found.known_rows) == (store.clock.now(), now, 12)


def test_a_poll_that_another_worker_superseded_writes_nothing(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.poll(n101=0)
    catalog.watch("101")
    old, catalog.rows["101"] = catalog.begin(), 3
    new = catalog.begin()
    before = store.dump()
    with pytest.raises(SupersededPollError):
        catalog.read(old, "101")
    with pytest.raises(SupersededPollError):
        catalog.finish(old)
    with pytest.raises(SupersededPollError):
        store.polls.begin(TERM, old.fence, store.clock.now())
    assert store.dump() == before
    assert catalog.read(new, "101").notifications == 1
    assert store.polls.newest_fence() == new.fence


def test_a_new_watch_makes_its_term_due_but_not_within_a_minute_of_the_last_poll(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    begun_at, tomorrow = store.clock.now(), store.clock.now() + timedelta(days=1)
    catalog.finish(catalog.begin(), due_at=tomorrow)
    store.clock.advance(10)
    catalog.watch("101")
    assert store.polls.due_times(["utsa"]) == {TERM: begun_at + timedelta(seconds=60)}
    catalog.finish(catalog.begin(), due_at=tomorrow)
    store.clock.advance(3600)
    catalog.watch("102")
    assert store.polls.due_times(["utsa"]) == {TERM: store.clock.now()}


def test_a_new_watch_does_not_shorten_the_wait_after_a_fault(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    tomorrow = store.clock.now() + timedelta(days=1)
    catalog.finish(catalog.begin(), due_at=tomorrow, fault=CatalogFault.UNAVAILABLE)
    store.clock.advance(3600)
    catalog.watch("101")
    assert store.polls.due_times(["utsa"]) == {TERM: tomorrow}


def test_a_poll_that_cannot_ask_is_postponed_and_counts_nothing(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    soon = store.clock.now() + timedelta(seconds=90)
    store.polls.postpone(catalog.begin(), soon)
    found = store.polls.all()[TERM]
    assert (found.due_at, found.polls, found.failures) == (soon, 0, 0)


def test_a_poll_can_be_requested_of_a_term_without_watches(store: StoreHarness) -> None:
    store.polls.request(TERM, store.clock.now())
    assert store.polls.all()[TERM].due_at == store.clock.now()
