from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import InvalidInputError
from domain.watch import ALL_NOTIFICATION_KINDS, NotificationKind, Watch
from store.watch_import import WatchRequest
from tests.store.desk import ADA, ALAN, GRACE, Desk, key
from tests.store.rivals import together


def _suppress(desk: Desk, email: str) -> None:
    desk.deliveries.record(
        f"event of {email}", "complained", provider_id=None, address=email, reason="", now=desk.clock.now()
    )


def test_a_new_watch_comes_back_as_it_is_kept(desk: Desk) -> None:
    watch = Watch(ADA, key(), (NotificationKind.SEAT_AVAILABLE,), 2)
    stored, is_new = desk.watches.add(watch, desk.clock.now())
    assert is_new
    assert stored.watch == watch
    assert (stored.created_at, stored.ended_at, stored.ended_reason) == (desk.clock.now(), None, None)
    assert (stored.section.key, stored.section.observed_at) == (key(), None)
    assert desk.watches.get(stored.id) == stored


def test_a_watch_comes_with_what_is_known_of_its_section(desk: Desk) -> None:
    desk.watch()
    desk.show(4)
    assert desk.watch(email=GRACE).section == desk.sections.get(key())


def test_the_same_watch_again_is_the_active_one_with_its_new_preferences(desk: Desk) -> None:
    first = desk.watch()
    desk.clock.advance(60)
    again, is_new = desk.watches.add(
        Watch(ADA, key(), (NotificationKind.SEAT_AVAILABLE,), 3), desk.clock.now()
    )
    assert not is_new
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert (again.watch.kinds, again.watch.min_seats) == ((NotificationKind.SEAT_AVAILABLE,), 3)


def test_what_a_request_does_not_say_stays_as_it_was(desk: Desk) -> None:
    desk.watch(kinds=(NotificationKind.SEAT_AVAILABLE,), min_seats=3)
    kept, is_new = desk.watches.add(WatchRequest(ADA, key()), desk.clock.now())
    assert not is_new
    assert (kept.watch.kinds, kept.watch.min_seats) == ((NotificationKind.SEAT_AVAILABLE,), 3)
    changed, _ = desk.watches.add(WatchRequest(ADA, key(), min_seats=5), desk.clock.now())
    assert (changed.watch.kinds, changed.watch.min_seats) == ((NotificationKind.SEAT_AVAILABLE,), 5)


def test_what_a_new_request_does_not_say_takes_the_default(desk: Desk) -> None:
    stored, is_new = desk.watches.add(WatchRequest(ADA, key()), desk.clock.now())
    assert is_new
    assert stored.watch == Watch(ADA, key(), ALL_NOTIFICATION_KINDS, 1)


def test_another_person_or_section_is_another_watch(desk: Desk) -> None:
    ids = {
        desk.watch().id,
        desk.watch(email=GRACE).id,
        desk.watch("12431").id,
        desk.watch(source="campus").id,
    }
    assert len(ids) == 4


def test_an_ended_watch_stays_with_its_reason_and_can_be_created_again(desk: Desk) -> None:
    first = desk.watch()
    now = desk.clock.advance(60)
    assert desk.watches.end(first.id, "unsubscribed", now)
    ended = desk.watches.get(first.id)
    assert ended is not None
    assert (ended.ended_at, ended.ended_reason) == (now, "unsubscribed")
    assert desk.watch().id != first.id


def test_a_watch_ends_once(desk: Desk) -> None:
    watch = desk.watch()
    assert desk.watches.end(watch.id, "unsubscribed", desk.clock.now())
    before = desk.dump()
    assert not desk.watches.end(watch.id, "again", desk.clock.advance(1))
    assert not desk.watches.end(404, "unknown", desk.clock.now())
    assert desk.dump() == before


def test_an_unknown_watch_is_none(desk: Desk) -> None:
    assert desk.watches.get(404) is None


def test_whether_there_ever_was_a_watch_does_not_end_with_it(desk: Desk) -> None:
    assert not desk.watches.any()
    watch = desk.watch()
    desk.watches.end(watch.id, "unsubscribed", desk.clock.now())
    assert desk.watches.any()


def test_pages_hold_the_active_watches_in_order_without_gaps(desk: Desk) -> None:
    ids = [desk.watch(str(number)).id for number in range(5)]
    ended = desk.watch("99")
    desk.watches.end(ended.id, "unsubscribed", desk.clock.now())
    found, cursor = desk.watches.page(email=ADA, section=None, after=None, limit=2)
    while cursor is not None:
        page, cursor = desk.watches.page(email=ADA, section=None, after=cursor, limit=2)
        found += page
    assert [stored.id for stored in found] == ids


def test_a_page_can_be_narrowed_to_a_person_and_a_section(desk: Desk) -> None:
    wanted = desk.watch()
    desk.watch("12431")
    desk.watch(email=GRACE)
    assert desk.watches.page(email=ADA, section="12430", after=None, limit=9) == ([wanted], None)
    assert desk.watches.page(email=ALAN, section=None, after=None, limit=9) == ([], None)


def test_a_watch_for_a_suppressed_address_is_refused_by_its_field(desk: Desk) -> None:
    _suppress(desk, ADA)
    with pytest.raises(InvalidInputError) as refusal:
        desk.watch()
    assert list(refusal.value.problems) == ["email"]
    assert not desk.watches.any()


def test_an_import_reports_of_each_line_whether_it_is_new_known_or_refused(desk: Desk) -> None:
    desk.watch()
    _suppress(desk, ALAN)
    wanted = [Watch(ADA, key()), Watch(GRACE, key()), Watch(ALAN, key()), Watch(GRACE, key())]
    known, new, refused, duplicate_reason = desk.watches.add_all(wanted, desk.clock.now())
    assert (known, new, duplicate_reason) == (False, True, False)
    assert isinstance(refused, InvalidInputError)
    assert len(desk.watches.page(email=None, section=None, after=None, limit=9)[0]) == 2


def test_an_import_across_many_sections_knows_each_active_watch_again(desk: Desk) -> None:
    numbers = range(90)
    wanted = [Watch(f"s{n % 7}@example.edu", key(str(n // 3))) for n in numbers for _ in (1, 2)]
    wanted += [Watch(f"s{n}@example.edu", key("0")) for n in range(300)]
    first = desk.watches.add_all(wanted, desk.clock.now())
    places = {(watch.email, watch.key) for watch in wanted}
    assert sum(map(bool, first)) == len(places)
    assert not any(desk.watches.add_all(wanted, desk.clock.now()))


def test_an_import_of_nothing_is_fine(desk: Desk) -> None:
    assert desk.watches.add_all([], desk.clock.now()) == []


def test_concurrent_callers_that_add_the_same_watch_make_one(desk: Desk) -> None:
    watch = Watch(ADA, key())
    found = together(*[lambda: desk.watches.add(watch, desk.clock.now())] * 6)
    assert len({stored.id for stored, _ in found}) == 1
    assert sorted(is_new for _, is_new in found) == [False] * 5 + [True]


def test_imports_in_opposite_orders_do_not_block_each_other(desk: Desk) -> None:
    for attempt in range(3):
        wanted = [Watch(f"s{attempt}@example.edu", key(str(number))) for number in range(60)]
        forth, back = together(
            lambda: desk.watches.add_all(wanted, desk.clock.now()),  # noqa: B023
            lambda: desk.watches.add_all(wanted[::-1], desk.clock.now()),  # noqa: B023
        )
        assert sum(map(bool, forth)) + sum(map(bool, back)) == 60


def test_a_watch_is_paused_until_a_time_and_resumed(desk: Desk) -> None:
    stored = desk.watch()
    until = desk.clock.now() + timedelta(hours=1)
    assert desk.watches.pause(stored.id, until)
    paused = desk.watches.get(stored.id)
    assert paused is not None
    assert paused.is_paused(desk.clock.now())
    assert not paused.is_paused(until)
    assert desk.watches.pause(stored.id, None)
    resumed = desk.watches.get(stored.id)
    assert resumed is not None
    assert not resumed.is_paused(desk.clock.now())


def test_an_ended_watch_cannot_be_paused(desk: Desk) -> None:
    stored = desk.watch()
    desk.watches.end(stored.id, "stopped", desk.clock.now())
    assert not desk.watches.pause(stored.id, desk.clock.now() + timedelta(hours=1))


def test_the_watches_of_a_person_and_of_a_section_are_found_ended_ones_too(desk: Desk) -> None:
    first, second, other = desk.watch(), desk.watch("12431"), desk.watch("12431", GRACE)
    desk.watches.end(second.id, "stopped", desk.clock.now())
    assert [stored.id for stored in desk.watches.all_of(ADA)] == [second.id, first.id]
    assert [stored.id for stored in desk.watches.all_on(key("12431"))] == [other.id, second.id]
    active, _ = desk.watches.page(key=key("12431"), after=None, limit=10)
    assert [stored.id for stored in active] == [other.id]
