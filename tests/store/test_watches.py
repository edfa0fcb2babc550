from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import InvalidInputError
from domain.watch import DEFAULT_KINDS, NotificationKind, Watch
from store.watch_import import WatchRequest
from tests.store.harness import ADA, ALAN, GRACE, StoreHarness, key
from tests.store.rivals import together


def _suppress(store: StoreHarness, email: str) -> None:
    store.deliveries.record(
        f"event of {email}", "complained", provider_id=None, address=email, reason="", now=store.clock.now()
    )


def test_a_new_watch_comes_back_as_it_is_kept(store: StoreHarness) -> None:
    watch = Watch(ADA, key(), (NotificationKind.SEAT_AVAILABLE,), 2)
    stored, is_new = store.watches.add(watch, store.clock.now())
    assert is_new
    assert stored.watch == watch
    assert (stored.created_at, stored.ended_at, stored.ended_reason) == (store.clock.now(), None, None)
    assert (stored.section.key, stored.section.observed_at) == (key(), None)
    assert store.watches.get(stored.id) == stored


def test_a_watch_comes_with_what_is_known_of_its_section(store: StoreHarness) -> None:
    store.watch()
    store.show(4)
    assert store.watch(email=GRACE).section == store.sections.get(key())


def test_the_same_watch_again_is_the_active_one_with_its_new_preferences(store: StoreHarness) -> None:
    first = store.watch()
    store.clock.advance(60)
    again, is_new = store.watches.add(
        Watch(ADA, key(), (NotificationKind.SEAT_AVAILABLE,), 3), store.clock.now()
    )
    assert not is_new
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert (again.watch.kinds, again.watch.min_seats) == ((NotificationKind.SEAT_AVAILABLE,), 3)


def test_what_a_request_does_not_say_stays_as_it_was(store: StoreHarness) -> None:
    store.watch(kinds=(NotificationKind.SEAT_AVAILABLE,), min_seats=3)
    kept, is_new = store.watches.add(WatchRequest(ADA, key()), store.clock.now())
    assert not is_new
    assert (kept.watch.kinds, kept.watch.min_seats) == ((NotificationKind.SEAT_AVAILABLE,), 3)
    changed, _ = store.watches.add(WatchRequest(ADA, key(), min_seats=5), store.clock.now())
    assert (changed.watch.kinds, changed.watch.min_seats) == ((NotificationKind.SEAT_AVAILABLE,), 5)


def test_what_a_new_request_does_not_say_takes_the_default(store: StoreHarness) -> None:
    stored, is_new = store.watches.add(WatchRequest(ADA, key()), store.clock.now())
    assert is_new
    assert stored.watch == Watch(ADA, key(), DEFAULT_KINDS, 1)


def test_another_person_or_section_is_another_watch(store: StoreHarness) -> None:
    ids = {
        store.watch().id,
        store.watch(email=GRACE).id,
        store.watch("12431").id,
        store.watch(source="campus").id,
    }
    assert len(ids) == 4


def test_an_ended_watch_stays_with_its_reason_and_can_be_created_again(store: StoreHarness) -> None:
    first = store.watch()
    now = store.clock.advance(60)
    assert store.watches.end(first.id, "unsubscribed", now)
    ended = store.watches.get(first.id)
    assert ended is not None
    assert (ended.ended_at, ended.ended_reason) == (now, "unsubscribed")
    assert store.watch().id != first.id


def test_a_watch_ends_once(store: StoreHarness) -> None:
    watch = store.watch()
    assert store.watches.end(watch.id, "unsubscribed", store.clock.now())
    before = store.dump()
    assert not store.watches.end(watch.id, "again", store.clock.advance(1))
    assert not store.watches.end(404, "unknown", store.clock.now())
    assert store.dump() == before


def test_an_unknown_watch_is_none(store: StoreHarness) -> None:
    assert store.watches.get(404) is None


def test_whether_there_ever_was_a_watch_does_not_end_with_it(store: StoreHarness) -> None:
    assert not store.watches.any()
    watch = store.watch()
    store.watches.end(watch.id, "unsubscribed", store.clock.now())
    assert store.watches.any()


def test_pages_hold_the_active_watches_in_order_without_gaps(store: StoreHarness) -> None:
    ids = [store.watch(str(number)).id for number in range(5)]
    ended = store.watch("99")
    store.watches.end(ended.id, "unsubscribed", store.clock.now())
    found, cursor = store.watches.page(email=ADA, section=None, after=None, limit=2)
    while cursor is not None:
        page, cursor = store.watches.page(email=ADA, section=None, after=cursor, limit=2)
        found += page
    assert [stored.id for stored in found] == ids


def test_a_page_can_be_narrowed_to_a_person_and_a_section(store: StoreHarness) -> None:
    wanted = store.watch()
    store.watch("12431")
    store.watch(email=GRACE)
    assert store.watches.page(email=ADA, section="12430", after=None, limit=9) == ([wanted], None)
    assert store.watches.page(email=ALAN, section=None, after=None, limit=9) == ([], None)


def test_a_watch_for_a_suppressed_address_is_refused_by_its_field(store: StoreHarness) -> None:
    _suppress(store, ADA)
    with pytest.raises(InvalidInputError) as refusal:
        store.watch()
    assert list(refusal.value.problems) == ["email"]
    assert not store.watches.any()


def test_an_import_reports_of_each_line_whether_it_is_new_known_or_refused(store: StoreHarness) -> None:
    store.watch()
    _suppress(store, ALAN)
    wanted = [Watch(ADA, key()), Watch(GRACE, key()), Watch(ALAN, key()), Watch(GRACE, key())]
    known, new, refused, repeated = store.watches.add_all(wanted, store.clock.now())
    assert (known, new, repeated) == (False, True, False)
    assert isinstance(refused, InvalidInputError)
    assert len(store.watches.page(email=None, section=None, after=None, limit=9)[0]) == 2


def test_an_import_across_many_sections_knows_each_active_watch_again(store: StoreHarness) -> None:
    numbers = range(90)
    wanted = [Watch(f"s{n % 7}@example.edu", key(str(n // 3))) for n in numbers for _ in (1, 2)]
    wanted += [Watch(f"s{n}@example.edu", key("0")) for n in range(300)]
    first = store.watches.add_all(wanted, store.clock.now())
    places = {(watch.email, watch.key) for watch in wanted}
    assert sum(map(bool, first)) == len(places)
    assert not any(store.watches.add_all(wanted, store.clock.now()))


def test_an_import_of_nothing_is_fine(store: StoreHarness) -> None:
    assert store.watches.add_all([], store.clock.now()) == []


def test_concurrent_callers_that_add_the_same_watch_make_one(store: StoreHarness) -> None:
    watch = Watch(ADA, key())
    found = together(*[lambda: store.watches.add(watch, store.clock.now())] * 6)
    assert len({stored.id for stored, _ in found}) == 1
    assert sorted(is_new for _, is_new in found) == [False] * 5 + [True]


def test_imports_in_opposite_orders_do_not_block_each_other(store: StoreHarness) -> None:
    for attempt in range(3):
        wanted = [Watch(f"s{attempt}@example.edu", key(str(number))) for number in range(60)]
        forth, back = together(
            lambda: store.watches.add_all(wanted, store.clock.now()),  # noqa: B023
            lambda: store.watches.add_all(wanted[::-1], store.clock.now()),  # noqa: B023
        )
        assert sum(map(bool, forth)) + sum(map(bool, back)) == 60


def test_a_watch_is_paused_until_a_time_and_resumed(store: StoreHarness) -> None:
    stored = store.watch()
    until = store.clock.now() + timedelta(hours=1)
    assert store.watches.pause(stored.id, until)
    paused = store.watches.get(stored.id)
    assert paused is not None
    assert paused.is_paused(store.clock.now())
    assert not paused.is_paused(until)
    assert store.watches.pause(stored.id, None)
    resumed = store.watches.get(stored.id)
    assert resumed is not None
    assert not resumed.is_paused(store.clock.now())


def test_an_ended_watch_cannot_be_paused(store: StoreHarness) -> None:
    stored = store.watch()
    store.watches.end(stored.id, "stopped", store.clock.now())
    assert not store.watches.pause(stored.id, store.clock.now() + timedelta(hours=1))


def test_the_watches_of_a_person_and_of_a_section_are_found_ended_ones_too(store: StoreHarness) -> None:
    first, second, other = store.watch(), store.watch("12431"), store.watch("12431", GRACE)
    store.watches.end(second.id, "stopped", store.clock.now())
    assert [stored.id for stored in store.watches.all_of(ADA)] == [second.id, first.id]
    assert [stored.id for stored in store.watches.all_on(key("12431"))] == [other.id, second.id]
    active, _ = store.watches.page(key=key("12431"), after=None, limit=10)
    assert [stored.id for stored in active] == [other.id]
