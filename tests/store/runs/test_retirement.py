from __future__ import annotations

from dataclasses import replace

from sqlalchemy import update

from domain.observation import Missing, Outcome
from domain.section import Stagger
from domain.section_state import MISSES_TO_RETIRE, SectionState
from domain.watch import NotificationKind, Watch
from store.schema import sections
from store.sections.states import RETIRED_AT_ONCE
from tests.store.desk import ADA, GRACE, Desk, key

NUMBERS = [str(number) for number in range(12430, 12440)]


def _state(desk: Desk, number: str = "12430") -> SectionState:
    state = desk.sections.get(key(number))
    assert state is not None
    return state


def _round(desk: Desk, *gone: str, times: int = 1) -> None:
    """The ten sections are checked `times`; `gone` are missing."""
    for _ in range(times):
        desk.clock.advance(60)
        outcomes: list[Outcome] = [
            desk.missing(number) if number in gone else desk.seen(1, number=number) for number in NUMBERS
        ]
        desk.check(*outcomes)


def _watch_all(desk: Desk) -> None:
    """The ten sections are watched, and were seen once."""
    for number in NUMBERS:
        desk.watch(number)
    _round(desk)


def test_a_section_that_is_missed_three_times_retires_and_its_watchers_are_notified(desk: Desk) -> None:
    _watch_all(desk)
    desk.watch("12430", GRACE)
    _round(desk, "12430", times=MISSES_TO_RETIRE - 1)
    assert not _state(desk).retired
    assert desk.notifications() == []
    _round(desk, "12430")
    assert (_state(desk).retired, _state(desk).open_seats) == (True, 1)
    told = [
        (stored.notification.email, stored.notification.kind, stored.notification.episode)
        for stored in desk.notifications()
    ]
    assert told == [(ADA, NotificationKind.SECTION_RETIRED, 1), (GRACE, NotificationKind.SECTION_RETIRED, 1)]
    assert desk.runs.page(None, 1)[0][0].notifications == 2


def test_a_retired_section_is_not_due(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    assert key("12430") not in desk.sections.due(Stagger.ALL, ["scraper"], desk.clock.now())
    assert len(desk.sections.due(Stagger.ALL, ["scraper"], desk.clock.now())) == len(NUMBERS) - 1


def test_misses_that_do_not_follow_each_other_retire_nothing(desk: Desk) -> None:
    _watch_all(desk)
    for _ in range(3):
        _round(desk, "12430", times=MISSES_TO_RETIRE - 1)
        _round(desk)
    assert not _state(desk).retired


def test_exactly_a_fifth_of_the_sections_can_retire_at_once(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, "12430", "12431", times=MISSES_TO_RETIRE)
    assert [_state(desk, number).retired for number in NUMBERS[:3]] == [True, True, False]


def test_when_more_than_a_fifth_is_missing_the_source_is_unconfirmed(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, *NUMBERS[:3], times=MISSES_TO_RETIRE + 4)
    assert not any(_state(desk, number).retired for number in NUMBERS)
    assert desk.notifications() == []


def test_once_the_anomaly_is_over_one_more_miss_retires_what_is_really_gone(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, *NUMBERS, times=MISSES_TO_RETIRE)
    _round(desk, "12430")
    assert [_state(desk, number).retired for number in NUMBERS[:2]] == [True, False]


def test_a_lone_section_is_all_of_its_source_and_so_its_source_is_unconfirmed(desk: Desk) -> None:
    desk.watch()
    desk.show(1)
    for _ in range(MISSES_TO_RETIRE + 2):
        desk.clock.advance(60)
        desk.check(desk.missing())
    assert not _state(desk).retired
    assert desk.sections.due(Stagger.ALL, ["scraper"], desk.clock.now()) == [key()]


def test_sections_of_another_source_do_not_hide_that_one_is_empty(desk: Desk) -> None:
    _watch_all(desk)
    desk.watch(source="campus")
    campus = key(source="campus")
    desk.check(replace(desk.seen(1), key=campus))
    for _ in range(MISSES_TO_RETIRE):
        desk.clock.advance(60)
        desk.check(Missing(campus, desk.clock.now()))
    state = desk.sections.get(campus)
    assert state is not None
    assert not state.retired
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    assert _state(desk).retired


def test_a_section_that_was_never_shown_is_asked_on(desk: Desk) -> None:
    _watch_all(desk)
    desk.watch("99999")
    for _ in range(MISSES_TO_RETIRE + 1):
        desk.clock.advance(60)
        desk.check(desk.missing("99999"))
    assert not _state(desk, "99999").retired
    assert desk.notifications() == []


def test_sections_that_were_never_shown_do_not_discredit_the_source(desk: Desk) -> None:
    _watch_all(desk)
    for number in ("99997", "99998", "99999"):
        desk.watch(number)
        desk.check(desk.missing(number))
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    assert _state(desk).retired


def test_sections_that_no_one_watches_do_not_count(desk: Desk) -> None:
    _watch_all(desk)
    for number in NUMBERS[4:]:
        page, _ = desk.watches.page(email=None, section=number, after=None, limit=1)
        desk.watches.end(page[0].id, "unsubscribed", desk.clock.now())
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    assert not _state(desk).retired


def test_someone_who_asks_for_a_retired_section_brings_it_back(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    desk.watch("12430", GRACE)
    assert (_state(desk).retired, _state(desk).misses) == (False, 0)
    assert key("12430") in desk.sections.due(Stagger.ALL, ["scraper"], desk.clock.now())


def test_a_section_that_came_back_can_retire_again_and_is_notified_again(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    desk.watch("12430")
    _round(desk)
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    told = [
        each.notification
        for each in desk.notifications()
        if each.notification.kind is NotificationKind.SECTION_RETIRED
    ]
    assert [each.episode for each in told] == [1, 2]


def test_a_section_that_retired_stays_so_and_is_notified_once(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, "12430", times=MISSES_TO_RETIRE + 3)
    assert len(desk.notifications()) == 1


def test_a_section_that_another_person_asks_for_opens_for_its_watchers_when_it_is_listed(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    desk.watch("12430", GRACE)
    _round(desk)
    told = [(each.notification.email, each.notification.kind) for each in desk.notifications()]
    assert told[0] == (ADA, NotificationKind.SECTION_RETIRED)
    assert told[1:] == [(ADA, NotificationKind.SEAT_AVAILABLE), (GRACE, NotificationKind.SEAT_AVAILABLE)]


def _relist(desk: Desk, open_seats: int) -> None:
    desk.clock.advance(60)
    desk.check(desk.seen(open_seats))


def test_a_retired_section_is_checked_again_once_a_day(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    assert key() not in desk.sections.due(Stagger.ALL, ["scraper"], desk.clock.advance(86_000))
    assert key() in desk.sections.due(Stagger.EVEN, ["scraper"], desk.clock.advance(401))
    assert key() not in desk.sections.due(Stagger.ODD, ["scraper"], desk.clock.now())
    desk.check(desk.missing())
    assert key() not in desk.sections.due(Stagger.ALL, ["scraper"], desk.clock.advance(60))
    assert len(desk.notifications()) == 1


def test_a_retired_section_that_a_clock_ahead_has_marked_is_searched_at_once(desk: Desk) -> None:
    _watch_all(desk)
    desk.clock.advance(864_000)
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    assert key() in desk.sections.due(Stagger.ALL, ["scraper"], desk.clock.advance(-864_000))


def test_one_run_looks_for_a_bounded_number_of_retired_sections(desk: Desk) -> None:
    for number in range(RETIRED_AT_ONCE + 5):
        desk.watch(str(number))
    with desk.database.write() as connection:
        connection.execute(update(sections).values(retired=True, observed_at_ms=0))
    assert len(desk.sections.due(Stagger.ALL, ["scraper"], desk.clock.now())) == RETIRED_AT_ONCE


def test_a_retired_section_that_no_one_watches_is_left_alone(desk: Desk) -> None:
    watch = desk.watch()
    desk.watches.end(watch.id, "stopped by the operator", desk.clock.now())
    with desk.database.write() as connection:
        connection.execute(update(sections).values(retired=True, observed_at_ms=0))
    assert desk.sections.due(Stagger.ALL, ["scraper"], desk.clock.now()) == []


def test_a_retired_section_that_is_listed_again_with_seats_has_opened(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    _relist(desk, 4)
    assert (_state(desk).retired, _state(desk).open_seats, _state(desk).misses) == (False, 4, 0)
    told = [(each.notification.kind, each.notification.open_seats) for each in desk.notifications()]
    assert told == [(NotificationKind.SECTION_RETIRED, 1), (NotificationKind.SEAT_AVAILABLE, 4)]


def test_a_retired_section_that_is_listed_again_without_seats_is_checked_on(desk: Desk) -> None:
    _watch_all(desk)
    _round(desk, "12430", times=MISSES_TO_RETIRE)
    _relist(desk, 0)
    assert len(desk.notifications()) == 1
    assert key() in desk.sections.due(Stagger.ALL, ["scraper"], desk.clock.now())
    _relist(desk, 1)
    assert [each.notification.kind for each in desk.notifications()] == [
        NotificationKind.SECTION_RETIRED,
        NotificationKind.SEAT_AVAILABLE,
    ]


def test_a_term_that_is_gone_does_not_hide_what_another_has_cancelled(desk: Desk) -> None:
    _watch_all(desk)
    old = [key(number, term="2257") for number in NUMBERS]
    for each in old:
        desk.watches.add(Watch(ADA, each), desk.clock.now())
    desk.check(*(replace(desk.seen(1), key=each) for each in old))
    for _ in range(MISSES_TO_RETIRE):
        _round(desk, "12430")
        desk.check(*(Missing(each, desk.clock.now()) for each in old))
    _round(desk, "12430")
    assert _state(desk).retired
    assert [each.notification.key.term for each in desk.notifications()] == ["2261"]
