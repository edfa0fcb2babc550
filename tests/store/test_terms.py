from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from domain.notification import NotificationState
from domain.observation import Missing, Observation
from domain.section import SectionKey
from domain.term import OVER_AFTER
from domain.watch import Watch
from store.course_watches import CourseWatchRequest
from store.notifications.outbox import Outbox
from store.opt_outs import OptOuts
from store.terms import EndedTerm, Terms
from tests.store.harness import ADA, ALAN, DETAILS, GRACE, LEASE, StoreHarness, key

OLD, NUMBERS = ("scraper", "2257"), ("12430", "12431", "12432")


def _old() -> list[SectionKey]:
    return [key(number, term=OLD[1]) for number in NUMBERS]


def _watch_old(store: StoreHarness, *emails: str) -> None:
    for email in emails:
        for each in _old():
            store.watches.add(Watch(email, each), store.clock.now())


def _check_old(store: StoreHarness, *, is_listed: bool) -> None:
    seen = [Observation(each, store.clock.now(), 1, 30, None) for each in _old()]
    gone = [Missing(each, store.clock.now()) for each in _old()]
    store.check(*(seen if is_listed else gone))


def test_a_term_that_has_been_gone_for_a_day_seems_over(store: StoreHarness) -> None:
    terms = Terms(store.database)
    _watch_old(store, ADA)
    store.watch()
    store.show(0)
    _check_old(store, is_listed=True)
    gone_at = store.clock.advance(60)
    _check_old(store, is_listed=False)
    assert terms.over(store.clock.advance(OVER_AFTER.total_seconds() - 1)) == {}
    over = terms.over(store.clock.advance(1))
    assert {term: (each.missing, each.tracked) for term, each in over.items()} == {OLD: (3, 3)}
    assert over[OLD].missing_since == gone_at
    assert {term: each.missing for term, each in terms.all().items()} == {OLD: 3, ("scraper", "2261"): 0}
    _check_old(store, is_listed=True)
    assert terms.over(store.clock.now()) == {}


def test_the_watches_of_an_ended_term_end_with_one_mail_for_each_person(store: StoreHarness) -> None:
    _watch_old(store, ADA, GRACE)
    store.watch(email=ALAN)
    _check_old(store, is_listed=True)
    paused = store.watches.all_of(GRACE)[-1]
    store.watches.pause(paused.id, store.clock.now() + timedelta(days=9))
    assert Terms(store.database).end(OLD, store.clock.now()) == EndedTerm(6, 2)
    assert sorted(store.send()) == [ADA, GRACE]
    assert [stored.notification.ended_watches for stored in store.notifications()] == [3, 3]
    reasons = {each.ended_reason for email in (ADA, GRACE) for each in store.watches.all_of(email)}
    assert reasons == {"the term has ended"}
    assert [each.ended_at for each in store.watches.all_of(ALAN)] == [None]
    assert Terms(store.database).end(OLD, store.clock.now()) == EndedTerm(0, 0)
    assert store.send() == []


def test_the_mail_that_ends_a_term_is_exempt_from_the_daily_cap(store: StoreHarness) -> None:
    _watch_old(store, ADA)
    store.watch()
    _check_old(store, is_listed=True)
    store.show(0, 1)
    assert store.send() == [ADA]
    Terms(store.database).end(OLD, store.clock.now())
    batch = Outbox(store.database, daily_cap=1).claim(store.clock.now(), limit=10, lease=LEASE)
    assert batch is not None
    assert [notification.ended_watches for notification in batch.notifications] == [3]


def test_what_an_ended_term_still_had_to_say_is_not_mailed(store: StoreHarness) -> None:
    _watch_old(store, ADA)
    _check_old(store, is_listed=True)
    store.clock.advance(1)
    store.check(Observation(_old()[0], store.clock.now(), 9, 30, None))
    store.check(Observation(_old()[0], store.clock.now(), 0, 30, None))
    store.check(Observation(_old()[0], store.clock.now(), 9, 30, None))
    Terms(store.database).end(OLD, store.clock.now())
    assert store.send() == [ADA]
    states = sorted(stored.state for stored in store.notifications())
    assert states == [NotificationState.SENT, NotificationState.SUPPRESSED]


def test_someone_who_stopped_all_mail_is_not_notified(store: StoreHarness) -> None:
    _watch_old(store, ADA)
    _check_old(store, is_listed=True)
    Terms(store.database).end(OLD, store.clock.now())
    OptOuts(store.database).stop_all(ADA, store.clock.now())
    assert store.send() == []


def test_a_term_can_be_watched_again_after_it_was_ended(store: StoreHarness) -> None:
    _watch_old(store, ADA)
    _check_old(store, is_listed=True)
    Terms(store.database).end(OLD, store.clock.now())
    assert store.send() == [ADA]
    _watch_old(store, ADA)
    store.clock.advance(60)
    _check_old(store, is_listed=True)
    assert Terms(store.database).end(OLD, store.clock.now()) == EndedTerm(3, 1)
    assert store.send() == [ADA]


def test_an_ended_term_is_notified_also_where_its_sections_are_seen_again_before_the_mail_left(
    store: StoreHarness,
) -> None:
    _watch_old(store, ADA)
    _check_old(store, is_listed=True)
    asked = store.ask(*_old())
    Terms(store.database).end(OLD, store.clock.now())
    store.settle(
        asked.id, *(Observation(each, store.clock.now(), 1, 30, None) for each in _old()), asked=asked
    )
    assert store.send() == [ADA]


def test_who_watches_only_a_course_of_it_gets_one_message_too(store: StoreHarness) -> None:
    terms, wanted = Terms(store.database), CourseWatchRequest(GRACE, *OLD, DETAILS.course)
    _watch_old(store, ADA)
    _check_old(store, is_listed=True)
    seen = replace(store.observation(1), key=_old()[0])
    store.check(seen)
    for email in (ADA, GRACE):
        store.course_watches.add(replace(wanted, email=email), store.clock.now())
    assert terms.end(OLD, store.clock.now()) == EndedTerm(5, 2)
    assert store.course_watches.count() == 0
    found = [(each.notification.email, each.notification.ended_watches) for each in store.notifications()]
    assert sorted(found) == [(ADA, 4), (GRACE, 1)]
    assert sorted(store.send()) == [ADA, GRACE]
    assert terms.end(OLD, store.clock.now()) == EndedTerm(0, 0)
