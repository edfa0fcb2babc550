from __future__ import annotations

from dataclasses import replace

from sqlalchemy import update

from domain.observation import Missing, Outcome
from domain.section import Stagger
from domain.section_state import MISSES_TO_RETIRE, SectionState
from domain.watch import NotificationKind, Watch
from store.schema import sections
from store.sections.states import RETIRED_AT_ONCE
from tests.store.harness import ADA, GRACE, StoreHarness, key

NUMBERS = [str(number) for number in range(12430, 12440)]


def _state(store: StoreHarness, number: str = "12430") -> SectionState:
    state = store.sections.get(key(number))
    assert state is not None
    return state


def _round(store: StoreHarness, *gone: str, times: int = 1) -> None:
    """The ten sections are checked `times`; `gone` are missing."""
    for _ in range(times):
        store.clock.advance(60)
        outcomes: list[Outcome] = [
            store.missing(number) if number in gone else store.observation(1, number=number)
            for number in NUMBERS
        ]
        store.check(*outcomes)


def _watch_all(store: StoreHarness) -> None:
    """The ten sections are watched, and were seen once."""
    for number in NUMBERS:
        store.watch(number)
    _round(store)


def test_a_section_that_is_missed_three_times_retires_and_its_watchers_are_notified(
    store: StoreHarness,
) -> None:
    _watch_all(store)
    store.watch("12430", GRACE)
    _round(store, "12430", times=MISSES_TO_RETIRE - 1)
    assert not _state(store).retired
    assert store.notifications() == []
    _round(store, "12430")
    assert (_state(store).retired, _state(store).open_seats) == (True, 1)
    notified = [
        (stored.notification.email, stored.notification.kind, stored.notification.episode)
        for stored in store.notifications()
    ]
    assert notified == [
        (ADA, NotificationKind.SECTION_RETIRED, 1),
        (GRACE, NotificationKind.SECTION_RETIRED, 1),
    ]
    assert store.runs.page(None, 1)[0][0].notifications == 2


def test_a_retired_section_is_not_due(store: StoreHarness) -> None:
    _watch_all(store)
    _round(store, "12430", times=MISSES_TO_RETIRE)
    assert key("12430") not in store.sections.due(Stagger.ALL, ["scraper"], store.clock.now())
    assert len(store.sections.due(Stagger.ALL, ["scraper"], store.clock.now())) == len(NUMBERS) - 1


def test_misses_that_do_not_follow_each_other_retire_nothing(store: StoreHarness) -> None:
    _watch_all(store)
    for _ in range(3):
        _round(store, "12430", times=MISSES_TO_RETIRE - 1)
        _round(store)
    assert not _state(store).retired


def test_exactly_a_fifth_of_the_sections_can_retire_at_once(store: StoreHarness) -> None:
    _watch_all(store)
    _round(store, "12430", "12431", times=MISSES_TO_RETIRE)
    assert [_state(store, number).retired for number in NUMBERS[:3]] == [True, True, False]


def test_when_more_than_a_fifth_is_missing_the_source_is_unconfirmed(store: StoreHarness) -> None:
    _watch_all(store)
    _round(store, *NUMBERS[:3], times=MISSES_TO_RETIRE + 4)
    assert not any(_state(store, number).retired for number in NUMBERS)
    assert store.notifications() == []


def test_once_the_anomaly_is_over_one_more_miss_retires_what_is_really_gone(store: StoreHarness) -> None:
    _watch_all(store)
    _round(store, *NUMBERS, times=MISSES_TO_RETIRE)
    _round(store, "12430")
    assert [_state(store, number).retired for number in NUMBERS[:2]] == [True, False]


def test_a_lone_section_is_all_of_its_source_and_so_its_source_is_unconfirmed(store: StoreHarness) -> None:
    store.watch()
    store.show(1)
    for _ in range(MISSES_TO_RETIRE + 2):
        store.clock.advance(60)
        store.check(store.missing())
    assert not _state(store).retired
    assert store.sections.due(Stagger.ALL, ["scraper"], store.clock.now()) == [key()]


def test_sections_of_another_source_do_not_hide_that_one_is_empty(store: StoreHarness) -> None:
    _watch_all(store)
    store.watch(source="campus")
    campus = key(source="campus")
    store.check(replace(store.observation(1), key=campus))
    for _ in range(MISSES_TO_RETIRE):
        store.clock.advance(60)
        store.check(Missing(campus, store.clock.now()))
    state = store.sections.get(campus)
    assert state is not None
    assert not state.retired
    _round(store, "12430", times=MISSES_TO_RETIRE)
    assert _state(store).retired


def test_a_section_that_was_never_shown_is_asked_on(store: StoreHarness) -> None:
    _watch_all(store)
    store.watch("99999")
    for _ in range(MISSES_TO_RETIRE + 1):
        store.clock.advance(60)
        store.check(store.missing("99999"))
    assert not _state(store, "99999").retired
    assert store.notifications() == []


def test_sections_that_were_never_shown_do_not_discredit_the_source(store: StoreHarness) -> None:
    _watch_all(store)
    for number in ("99997", "99998", "99999"):
        store.watch(number)
        store.check(store.missing(number))
    _round(store, "12430", times=MISSES_TO_RETIRE)
    assert _state(store).retired


def test_sections_that_no_one_watches_do_not_count(store: StoreHarness) -> None:
    _watch_all(store)
    for number in NUMBERS[4:]:
        page, _ = store.watches.page(email=None, section=number, after=None, limit=1)
        store.watches.end(page[0].id, "unsubscribed", store.clock.now())
    _round(store, "12430", times=MISSES_TO_RETIRE)
    assert not _state(store).retired


def test_someone_who_asks_for_a_retired_section_brings_it_back(store: StoreHarness) -> None:
    _watch_all(store)
    _round(store, "12430", times=MISSES_TO_RETIRE)
    store.watch("12430", GRACE)
    assert (_state(store).retired, _state(store).misses) == (False, 0)
    assert key("12430") in store.sections.due(Stagger.ALL, ["scraper"], store.clock.now())


def test_a_section_that_came_back_can_retire_again_and_is_notified_again(store: StoreHarness) -> None:
    _watch_all(store)
    _round(store, "12430", times=MISSES_TO_RETIRE)
    store.watch("12430")
    _round(store)
    _round(store, "12430", times=MISSES_TO_RETIRE)
    notified = [
        each.notification
        for each in store.notifications()
        if each.notification.kind is NotificationKind.SECTION_RETIRED
    ]
    assert [each.episode for each in notified] == [1, 2]


def test_a_section_that_retired_stays_so_and_is_notified_once(store: StoreHarness) -> None:
    _watch_all(store)
    _round(store, "12430", times=MISSES_TO_RETIRE + 3)
    assert len(store.notifications()) == 1


def test_a_section_that_another_person_asks_for_opens_for_its_watchers_when_it_is_listed(
    store: StoreHarness,
) -> None:
    _watch_all(store)
    _round(store, "12430", times=MISSES_TO_RETIRE)
    store.watch("12430", GRACE)
    _round(store)
    notified = [(each.notification.email, each.notification.kind) for each in store.notifications()]
    assert notified[0] == (ADA, NotificationKind.SECTION_RETIRED)
    assert notified[1:] == [(ADA, NotificationKind.SEAT_AVAILABLE), (GRACE, NotificationKind.SEAT_AVAILABLE)]


def _relist(store: StoreHarness, open_seats: int) -> None:
    store.clock.advance(60)
    store.check(store.observation(open_seats))


def test_a_retired_section_is_checked_again_once_a_day(store: StoreHarness) -> None:
    _watch_all(store)
    _round(store, "12430", times=MISSES_TO_RETIRE)
    assert key() not in store.sections.due(Stagger.ALL, ["scraper"], store.clock.advance(86_000))
    assert key() in store.sections.due(Stagger.EVEN, ["scraper"], store.clock.advance(401))
    assert key() not in store.sections.due(Stagger.ODD, ["scraper"], store.clock.now())
    store.check(store.missing())
    assert key() not in store.sections.due(Stagger.ALL, ["scraper"], store.clock.advance(60))
    assert len(store.notifications()) == 1


def test_a_retired_section_that_a_clock_ahead_has_marked_is_searched_at_once(store: StoreHarness) -> None:
    _watch_all(store)
    store.clock.advance(864_000)
    _round(store, "12430", times=MISSES_TO_RETIRE)
    assert key() in store.sections.due(Stagger.ALL, ["scraper"], store.clock.advance(-864_000))


def test_one_run_looks_for_a_bounded_number_of_retired_sections(store: StoreHarness) -> None:
    for number in range(RETIRED_AT_ONCE + 5):
        store.watch(str(number))
    with store.database.write() as connection:
        connection.execute(update(sections).values(retired=True, observed_at_ms=0))
    assert len(store.sections.due(Stagger.ALL, ["scraper"], store.clock.now())) == RETIRED_AT_ONCE


def test_a_retired_section_that_no_one_watches_is_left_alone(store: StoreHarness) -> None:
    watch = store.watch()
    store.watches.end(watch.id, "stopped by the operator", store.clock.now())
    with store.database.write() as connection:
        connection.execute(update(sections).values(retired=True, observed_at_ms=0))
    assert store.sections.due(Stagger.ALL, ["scraper"], store.clock.now()) == []


def test_a_retired_section_that_is_listed_again_with_seats_has_opened(store: StoreHarness) -> None:
    _watch_all(store)
    _round(store, "12430", times=MISSES_TO_RETIRE)
    _relist(store, 4)
    assert (_state(store).retired, _state(store).open_seats, _state(store).misses) == (False, 4, 0)
    notified = [(each.notification.kind, each.notification.open_seats) for each in store.notifications()]
    assert notified == [(NotificationKind.SECTION_RETIRED, 1), (NotificationKind.SEAT_AVAILABLE, 4)]


def test_a_retired_section_that_is_listed_again_without_seats_is_checked_on(store: StoreHarness) -> None:
    _watch_all(store)
    _round(store, "12430", times=MISSES_TO_RETIRE)
    _relist(store, 0)
    assert len(store.notifications()) == 1
    assert key() in store.sections.due(Stagger.ALL, ["scraper"], store.clock.now())
    _relist(store, 1)
    assert [each.notification.kind for each in store.notifications()] == [
        NotificationKind.SECTION_RETIRED,
        NotificationKind.SEAT_AVAILABLE,
    ]


def test_a_term_that_is_gone_does_not_hide_what_another_has_cancelled(store: StoreHarness) -> None:
    _watch_all(store)
    old = [key(number, term="2257") for number in NUMBERS]
    for each in old:
        store.watches.add(Watch(ADA, each), store.clock.now())
    store.check(*(replace(store.observation(1), key=each) for each in old))
    for _ in range(MISSES_TO_RETIRE):
        _round(store, "12430")
        store.check(*(Missing(each, store.clock.now()) for each in old))
    _round(store, "12430")
    assert _state(store).retired
    assert [each.notification.key.term for each in store.notifications()] == ["2261"]
