from __future__ import annotations

from dataclasses import replace

from domain.catalog_poll import GuardState, ListedRow
from domain.observation import Details
from domain.watch import DEFAULT_KINDS, NotificationKind
from store.course_watches import CourseWatchRequest, StoredCourseWatch
from tests.store.catalogs.catalog import TERM, PolledCatalog, key
from tests.store.harness import ADA, DETAILS, GRACE, StoreHarness

ADDED = NotificationKind.SECTION_ADDED


def watch_course(store: StoreHarness, email: str = ADA, **wanted: object) -> StoredCourseWatch:
    request = CourseWatchRequest(email, *TERM, DETAILS.course)
    request = replace(request, **wanted)  # type: ignore[arg-type]  # each test names fields of its own
    return store.course_watches.add(request, store.clock.now())[0]


def notified(store: StoreHarness) -> list[tuple[str, NotificationKind, str]]:
    found = [each.notification for each in store.notifications()]
    return [(each.email, each.kind, each.key.number) for each in found]


def test_a_section_that_a_watched_course_gains_is_announced_and_watched(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    made_by = watch_course(store, min_seats=2)
    catalog.poll(n101=3)
    assert notified(store) == []
    catalog.poll(n102=4)
    assert notified(store) == [(ADA, ADDED, "102")]
    (stored,) = store.watches.all_on(key("102"))
    assert (stored.watch.kinds, stored.watch.min_seats) == ((ADDED, *DEFAULT_KINDS), 2)
    assert stored.course_watch_id == made_by.id
    notification = store.notifications()[0].notification
    assert (notification.course_watch_id, notification.open_seats) == (made_by.id, 4)
    assert store.send() == [ADA]


def test_the_watch_of_a_new_section_is_notified_of_its_openings(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    watch_course(store)
    catalog.poll(n101=3)
    catalog.poll(n102=0)
    catalog.poll(n102=1)
    assert notified(store)[1:] == [(ADA, NotificationKind.SEAT_AVAILABLE, "102")]


def test_a_section_that_returns_is_not_new(store: StoreHarness, catalog: PolledCatalog) -> None:
    watch_course(store)
    catalog.poll(n101=3)
    catalog.poll(n102=0)
    store.send()
    for number in ("101", "102"):
        seats = catalog.rows.pop(number)
        catalog.poll()
        catalog.poll(**{f"n{number}": seats})
    assert notified(store) == [(ADA, ADDED, "102")]


def test_sections_that_were_listed_before_the_baseline_are_not_new(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    catalog.poll(n101=3)
    catalog.rows["102"] = 1
    poll = catalog.begin()
    store.clock.advance(1)
    watch_course(store)
    catalog.read(poll, "101", "102")
    catalog.finish(poll, is_complete=True, rows=2)
    catalog.poll(n103=1)
    assert notified(store) == []
    catalog.poll(n104=1)
    assert notified(store) == [(ADA, ADDED, "104")]


def test_an_incomplete_poll_is_no_baseline(store: StoreHarness, catalog: PolledCatalog) -> None:
    watch_course(store)
    catalog.rows |= {"101": 1, "102": 1}
    poll = catalog.begin()
    catalog.read(poll, "101")
    catalog.finish(poll)
    catalog.poll()
    assert notified(store) == []


def test_a_new_section_of_another_course_is_not_announced(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    watch_course(store, course="CSE 101")
    catalog.poll(n101=3)
    catalog.poll(n102=3)
    assert notified(store) == []


def test_a_course_without_sections_is_recognised_however_it_is_written(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    made = watch_course(store, course="cse100")
    catalog.poll()
    catalog.poll(n101=3)
    assert notified(store) == [(ADA, ADDED, "101")]
    stored = store.course_watches.get(made.id)
    assert stored is not None
    assert stored.watch.course == "CSE 100"


def test_a_section_that_someone_awaits_by_its_number_is_new_too(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    watch_course(store)
    watch_course(store, GRACE)
    catalog.poll(n101=3)
    awaited = catalog.watch("102", GRACE)
    catalog.poll(n102=1)
    assert sorted(notified(store)) == [(ADA, ADDED, "102"), (GRACE, ADDED, "102")]
    kept = store.watches.get(awaited.id)
    assert kept is not None
    assert (kept.watch.kinds, kept.course_watch_id) == (DEFAULT_KINDS, None)


def test_who_does_not_want_it_announced_only_watches_it(store: StoreHarness, catalog: PolledCatalog) -> None:
    watch_course(store, kinds=(NotificationKind.SEAT_AVAILABLE,))
    catalog.poll(n101=3)
    catalog.poll(n102=0)
    assert notified(store) == []
    catalog.poll(n102=1)
    assert notified(store) == [(ADA, NotificationKind.SEAT_AVAILABLE, "102")]


def test_a_baseline_that_an_operator_asked_for_announces_nothing(
    store: StoreHarness, catalog: PolledCatalog
) -> None:
    watch_course(store)
    catalog.poll(n101=3)
    poll = catalog.begin()
    discarded = replace(poll, state=replace(poll.state, guard=GuardState.DISCARDED))
    catalog.rows["102"] = 1
    store.answers.add(discarded, [catalog.listed("102")], store.clock.now())
    assert notified(store) == []


def test_a_section_that_changes_its_course_is_not_new(store: StoreHarness, catalog: PolledCatalog) -> None:
    watch_course(store, course="CSE 101")
    catalog.poll(n101=3)
    poll = catalog.begin()
    moved = replace(catalog.listed("101"), details=Details("CSE 101", "Algorithms"))
    store.answers.record(poll, [ListedRow(moved, moved)], [], store.clock.now())
    assert notified(store) == []


def test_who_has_stopped_all_mail_gets_no_new_watch(store: StoreHarness, catalog: PolledCatalog) -> None:
    watch_course(store)
    catalog.poll(n101=3)
    store.opt_outs.stop_all(ADA, store.clock.now())
    catalog.poll(n102=3)
    assert (notified(store), store.watches.all_on(key("102"))) == ([], [])
