from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import InvalidInputError
from domain.watch import COURSE_KINDS, NotificationKind
from store.course_watches import CourseWatchRequest
from tests.store.catalogs.catalog import TERM, PolledCatalog, key
from tests.store.harness import ADA, GRACE, StoreHarness

WANTED = CourseWatchRequest(ADA, *TERM, "CSE 100")


@pytest.fixture
def catalog(store: StoreHarness) -> PolledCatalog:
    return PolledCatalog(store)


def test_a_course_watch_has_the_default_kinds(store: StoreHarness) -> None:
    stored, is_new = store.course_watches.add(WANTED, store.clock.now())
    assert is_new
    assert (stored.watch.kinds, stored.watch.min_seats, stored.watch.max_waitlist) == (COURSE_KINDS, 1, None)
    assert (str(stored.watch), stored.baseline_at) == ("utsa/202420/CSE 100", None)
    assert store.course_watches.get(stored.id) == stored


def test_another_request_for_the_same_course_updates_what_it_states(store: StoreHarness) -> None:
    first, _ = store.course_watches.add(replace(WANTED, min_seats=3), store.clock.now())
    kinds = (NotificationKind.SECTION_ADDED,)
    again, is_new = store.course_watches.add(
        replace(WANTED, course="cse-100", kinds=kinds), store.clock.now()
    )
    assert not is_new
    assert (again.id, again.watch.course) == (first.id, "CSE 100")
    assert (again.watch.kinds, again.watch.min_seats) == (kinds, 3)


def test_a_course_is_stored_as_its_catalog_writes_it(store: StoreHarness, catalog: PolledCatalog) -> None:
    catalog.poll(n101=3)
    stored, _ = store.course_watches.add(replace(WANTED, course="cse100"), store.clock.now())
    assert stored.watch.course == "CSE 100"


def test_active_course_watches_are_listed_page_by_page(store: StoreHarness) -> None:
    added = [
        store.course_watches.add(replace(WANTED, email=email, course=course), store.clock.now())[0]
        for email in (ADA, GRACE)
        for course in ("CSE 100", "CSE 101")
    ]
    assert store.course_watches.end(added[1].id, "ended by the API", store.clock.now())
    assert not store.course_watches.end(added[1].id, "ended by the API", store.clock.now())
    first, after = store.course_watches.page(after=None, limit=2)
    rest, last = store.course_watches.page(after=after, limit=2)
    assert [each.id for each in first + rest] == [added[0].id, added[2].id, added[3].id]
    assert (last, store.course_watches.count()) == (None, 3)
    assert [each.id for each in store.course_watches.page(email=ADA, after=None, limit=9)[0]] == [added[0].id]


def test_who_stops_a_course_is_watched_for_no_more_until_they_allow_it(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    stored, _ = store.course_watches.add(WANTED, store.clock.now())
    catalog.poll(n101=1)
    catalog.watch("101")
    catalog.poll(n102=1)
    store.clock.advance(1)
    assert store.opt_outs.stop_course(stored.id, GRACE, store.clock.now()) == 0
    assert store.opt_outs.stop_course(stored.id, ADA, store.clock.now()) == 2
    assert store.opt_outs.stop_course(stored.id, ADA, store.clock.now()) == 0
    assert store.opt_outs.has_stopped_course(stored.id, ADA)
    assert [each.watch.key for each in store.watches.all_of(ADA) if each.ended_at is None] == [key("101")]
    assert store.send() == []
    with pytest.raises(InvalidInputError, match="stopped mail about this course"):
        store.course_watches.add(WANTED, store.clock.now())

    assert store.opt_outs.allow_course(stored.id, ADA, store.clock.now()) == 2
    assert store.opt_outs.allow_course(stored.id, ADA, store.clock.now()) == 0
    assert not store.opt_outs.has_stopped_course(stored.id, ADA)
    restored = {each.watch.key for each in store.watches.all_of(ADA) if each.ended_at is None}
    assert restored == {key("101"), key("102")}
    store.course_watches.add(WANTED, store.clock.now())


def test_a_stop_of_all_mail_includes_courses(store: StoreHarness) -> None:
    stored, _ = store.course_watches.add(WANTED, store.clock.now())
    assert store.opt_outs.stop_all(ADA, store.clock.now()) == 1
    assert store.course_watches.count() == 0
    with pytest.raises(InvalidInputError, match="stopped all mail"):
        store.course_watches.add(WANTED, store.clock.now())
    assert store.opt_outs.allow_course(stored.id, ADA, store.clock.now()) == 0
    store.clock.advance(timedelta(days=1).total_seconds())
    assert store.opt_outs.allow_all(ADA, store.clock.now()) == 1
    assert store.course_watches.count() == 1
