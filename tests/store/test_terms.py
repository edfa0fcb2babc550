from __future__ import annotations

from datetime import timedelta

from domain.notification import NotificationState
from domain.observation import Missing, Observation
from domain.section import SectionKey
from domain.term import OVER_AFTER
from domain.watch import Watch
from store.notifications.outbox import Outbox
from store.opt_outs import OptOuts
from store.terms import EndedTerm, Terms
from tests.store.desk import ADA, ALAN, GRACE, LEASE, Desk, key

OLD, NUMBERS = ("scraper", "2257"), ("12430", "12431", "12432")


def _old() -> list[SectionKey]:
    return [key(number, term=OLD[1]) for number in NUMBERS]


def _watch_old(desk: Desk, *emails: str) -> None:
    for email in emails:
        for each in _old():
            desk.watches.add(Watch(email, each), desk.clock.now())


def _check_old(desk: Desk, *, is_listed: bool) -> None:
    seen = [Observation(each, desk.clock.now(), 1, 30, None) for each in _old()]
    gone = [Missing(each, desk.clock.now()) for each in _old()]
    desk.check(*(seen if is_listed else gone))


def test_a_term_that_has_been_gone_for_a_day_seems_over(desk: Desk) -> None:
    terms = Terms(desk.database)
    _watch_old(desk, ADA)
    desk.watch()
    desk.show(0)
    _check_old(desk, is_listed=True)
    gone_at = desk.clock.advance(60)
    _check_old(desk, is_listed=False)
    assert terms.over(desk.clock.advance(OVER_AFTER.total_seconds() - 1)) == {}
    over = terms.over(desk.clock.advance(1))
    assert {term: (each.missing, each.tracked) for term, each in over.items()} == {OLD: (3, 3)}
    assert over[OLD].missing_since == gone_at
    assert {term: each.missing for term, each in terms.all().items()} == {OLD: 3, ("scraper", "2261"): 0}
    _check_old(desk, is_listed=True)
    assert terms.over(desk.clock.now()) == {}


def test_the_watches_of_an_ended_term_end_with_one_mail_for_each_person(desk: Desk) -> None:
    _watch_old(desk, ADA, GRACE)
    desk.watch(email=ALAN)
    _check_old(desk, is_listed=True)
    paused = desk.watches.all_of(GRACE)[-1]
    desk.watches.pause(paused.id, desk.clock.now() + timedelta(days=9))
    assert Terms(desk.database).end(OLD, desk.clock.now()) == EndedTerm(6, 2)
    assert sorted(desk.send()) == [ADA, GRACE]
    assert [stored.notification.ended_watches for stored in desk.notifications()] == [3, 3]
    reasons = {each.ended_reason for email in (ADA, GRACE) for each in desk.watches.all_of(email)}
    assert reasons == {"the term has ended"}
    assert [each.ended_at for each in desk.watches.all_of(ALAN)] == [None]
    assert Terms(desk.database).end(OLD, desk.clock.now()) == EndedTerm(0, 0)
    assert desk.send() == []


def test_the_mail_that_ends_a_term_is_exempt_from_the_daily_cap(desk: Desk) -> None:
    _watch_old(desk, ADA)
    desk.watch()
    _check_old(desk, is_listed=True)
    desk.show(0, 1)
    assert desk.send() == [ADA]
    Terms(desk.database).end(OLD, desk.clock.now())
    batch = Outbox(desk.database, daily_cap=1).claim(desk.clock.now(), limit=10, lease=LEASE)
    assert batch is not None
    assert [notification.ended_watches for notification in batch.notifications] == [3]


def test_what_an_ended_term_still_had_to_say_is_not_mailed(desk: Desk) -> None:
    _watch_old(desk, ADA)
    _check_old(desk, is_listed=True)
    desk.clock.advance(1)
    desk.check(Observation(_old()[0], desk.clock.now(), 9, 30, None))
    desk.check(Observation(_old()[0], desk.clock.now(), 0, 30, None))
    desk.check(Observation(_old()[0], desk.clock.now(), 9, 30, None))
    Terms(desk.database).end(OLD, desk.clock.now())
    assert desk.send() == [ADA]
    states = sorted(stored.state for stored in desk.notifications())
    assert states == [NotificationState.SENT, NotificationState.SUPPRESSED]


def test_someone_who_stopped_all_mail_is_not_notified(desk: Desk) -> None:
    _watch_old(desk, ADA)
    _check_old(desk, is_listed=True)
    Terms(desk.database).end(OLD, desk.clock.now())
    OptOuts(desk.database).stop_all(ADA, desk.clock.now())
    assert desk.send() == []


def test_a_term_can_be_watched_again_after_it_was_ended(desk: Desk) -> None:
    _watch_old(desk, ADA)
    _check_old(desk, is_listed=True)
    Terms(desk.database).end(OLD, desk.clock.now())
    assert desk.send() == [ADA]
    _watch_old(desk, ADA)
    desk.clock.advance(60)
    _check_old(desk, is_listed=True)
    assert Terms(desk.database).end(OLD, desk.clock.now()) == EndedTerm(3, 1)
    assert desk.send() == [ADA]


def test_an_ended_term_is_notified_also_where_its_sections_are_seen_again_before_the_mail_left(
    desk: Desk,
) -> None:
    _watch_old(desk, ADA)
    _check_old(desk, is_listed=True)
    asked = desk.ask(*_old())
    Terms(desk.database).end(OLD, desk.clock.now())
    desk.settle(asked.id, *(Observation(each, desk.clock.now(), 1, 30, None) for each in _old()), asked=asked)
    assert desk.send() == [ADA]
