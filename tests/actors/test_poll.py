from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
import redis
from sqlalchemy import update

from actors import QUEUES
from actors.poll import due_terms, poll, publish_due_polls
from actors.term_poller import TermPoller
from domain.catalog import CatalogFault
from domain.catalog_poll import GuardState
from domain.section import SectionKey
from domain.section_state import MISSES_TO_RETIRE
from domain.watch import NotificationKind
from observability.recorders import NO_FAULT, POLL_REQUESTS, POLL_ROWS, POLLS
from resilience.breaker_policy import BreakerPolicy
from store.schema import catalog_polls
from tests.actors.polling import TERM, Polling, School, polling
from tests.standins.server import Answer
from tests.support.harness import sqlite_url

SEAT = ("ada@example.edu", NotificationKind.SEAT_AVAILABLE)
EMPTY = dict.fromkeys(QUEUES, 0)


@pytest.fixture
def two(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Polling]:
    with polling(sqlite_url(tmp_path), redis_client, prefix, "okstate", "temple") as found:
        yield found


@pytest.fixture
def school(two: Polling) -> School:
    return two.schools[0]


def test_the_first_poll_announces_nothing_and_fills_the_index(two: Polling, school: School) -> None:
    school.show(n101=3, n102=0)
    school.watch("101")
    two.poll()
    assert (school.seats("101"), school.seats("102"), two.mailed) == (3, 0, [])
    assert (school.state.known_rows, school.state.failures) == (2, 0)


def test_an_opening_is_announced_exactly_once(two: Polling, school: School) -> None:
    school.show(n101=0, n102=0)
    school.watch("101")
    two.poll()
    school.show(n101=2, n102=2)
    for _ in range(3):
        two.poll()
    assert two.mailed == [SEAT]


def test_a_cut_page_announces_the_seats_of_valid_pages_and_proves_no_absence(
    two: Polling, school: School
) -> None:
    school.show(**{f"n{crn}": 0 for crn in range(10000, 11000)})
    for crn in ("10000", "10700", "10999"):
        school.watch(crn)
    two.poll()
    two.poll(86_400)  # the whole term is due: two pages
    school.show(n10000=1, n10700=1)
    school.hide("10999")
    school.site.cut_at = 500
    two.poll(86_400)
    assert two.mailed == [SEAT]
    state = two.rollcall.services.store.sections.get(SectionKey(school.name, TERM, "10999"))
    assert state is not None
    assert (state.misses, school.seats("10700")) == (0, 0)
    assert (school.state.fault, school.state.failures) == (CatalogFault.PARTIAL, 1)


def test_a_poll_continues_after_a_dead_worker_and_announces_once(two: Polling, school: School) -> None:
    school.show(n101=0, n102=0)
    school.watch("101")
    two.poll()
    school.show(n101=1)
    services, now = two.rollcall.services, two.rollcall.clock.now()
    dead = services.store.polls.begin((school.name, TERM), services.store.polls.newest_fence(), now)
    active = services.catalogs[school.name]
    reader = TermPoller(services, active, active.connect(), dead, lambda: False, started_at=now)
    assert reader._read_units()
    two.rollcall.process_messages()
    two.poll()
    assert (two.mailed, school.state.polls) == ([SEAT], 2)


def test_a_worker_whose_poll_was_taken_over_writes_nothing(two: Polling, school: School) -> None:
    school.show(n101=0)
    school.watch("101")
    two.poll()
    school.show(n101=1)
    polls, now = two.rollcall.services.store.polls, two.rollcall.clock.now()

    def take_over(_: int) -> None:
        school.site.before_page = lambda _: None
        polls.begin((school.name, TERM), polls.newest_fence() + 1, now)

    school.site.before_page = take_over
    two.poll()
    assert (school.seats("101"), school.state.polls) == (0, 1)
    two.poll()
    assert (two.mailed, school.state.polls) == ([SEAT], 2)


def test_of_two_workers_one_polls_and_the_other_ends_at_once(two: Polling, school: School) -> None:
    school.show(n101=0)
    school.watch("101")
    services = two.rollcall.services

    def second_message(_: int) -> None:
        school.site.before_page = lambda _: None
        other = Thread(target=poll, args=(services,), kwargs={"linger_seconds": 0})
        other.start()
        other.join()

    school.site.before_page = second_message
    two.poll()
    assert school.state.polls == 1


def test_a_lease_that_a_dead_worker_held_is_taken_when_it_expires(two: Polling, school: School) -> None:
    school.show(n101=0)
    school.watch("101")
    services = two.rollcall.services
    services.poll_lease.acquire("dead", {"host": "a"})
    poll(services, linger_seconds=0)
    assert services.store.polls.all() == {}
    two.poll(31)
    assert school.state.polls == 1


def test_a_section_is_retired_only_by_complete_answers_about_the_whole_term(
    two: Polling, school: School
) -> None:
    school.show(**{f"n{crn}": 0 for crn in range(100, 110)})
    school.watch("100")
    two.poll()
    school.hide("100")
    for _ in range(MISSES_TO_RETIRE):
        assert two.mailed == []
        two.poll(1801)
    assert two.mailed == [("ada@example.edu", NotificationKind.SECTION_RETIRED)]


def test_an_expired_session_is_opened_again_without_a_fault(two: Polling, school: School) -> None:
    school.show(n101=0)
    school.watch("101")
    two.poll()
    school.site.forget_sessions()
    school.show(n101=1)
    two.poll()
    assert (two.mailed, school.state.failures, school.state.fault) == ([SEAT], 0, None)


def test_a_catalog_that_refuses_us_is_paused_and_the_others_are_polled(two: Polling, school: School) -> None:
    other = two.schools[1]
    for each in two.schools:
        each.show(n101=0)
        each.watch("101")
    two.poll()
    school.site.failing["searchResults/searchResults"] = Answer(403, b"")
    other.show(n101=1)
    two.poll()
    services, now = two.rollcall.services, two.rollcall.clock.now()
    pause = services.store.pauses.paused(school.name, now)
    assert pause is not None
    assert "403" in pause.reason
    assert services.store.pauses.paused(other.name, now) is None
    assert (two.mailed, school.state.fault) == ([SEAT], CatalogFault.BLOCKED)

    asked = len(school.site.routes)
    two.poll()
    assert (len(school.site.routes), other.state.polls) == (asked, 3)

    del school.site.failing["searchResults/searchResults"]
    school.show(n101=1)
    two.poll(3600)
    assert (two.mailed, services.store.pauses.find(school.name)) == ([SEAT, SEAT], None)


def test_a_catalog_whose_breaker_is_open_is_asked_nothing_until_it_may_be(
    tmp_path: Path, redis_client: redis.Redis, prefix: str
) -> None:
    policy = BreakerPolicy(failure_threshold=1, recovery_seconds=600)
    url = sqlite_url(tmp_path)
    with polling(url, redis_client, prefix, "okstate", "temple", policy=policy) as two:
        school, other = two.schools
        for each in two.schools:
            each.show(n101=0)
            each.watch("101")
        school.site.failing["term/search"] = Answer(500, b"")
        two.poll()
        asked = len(school.site.routes)
        two.poll(130)
        assert (len(school.site.routes), school.state.polls, school.state.failures) == (asked, 1, 1)
        assert (other.state.polls, other.state.failures) == (2, 0)
        school.site.failing.clear()
        two.poll(600)
        assert (school.state.failures, school.seats("101")) == (0, 0)


def test_a_catalog_that_fails_is_asked_less_and_less_often(two: Polling, school: School) -> None:
    school.show(n101=0)
    school.watch("101")
    school.site.failing["term/search"] = Answer(500, b"")
    waits = []
    for failures in range(1, 5):
        two.poll(1800)
        assert (school.state.failures, school.state.fault) == (failures, CatalogFault.UNAVAILABLE)
        due_at = school.state.due_at
        assert due_at is not None
        waits.append(due_at - two.rollcall.clock.now())
    assert [wait // timedelta(minutes=1) for wait in waits] == [1, 2, 4, 8]


def test_a_retry_after_of_more_than_a_minute_pauses_the_catalog(two: Polling, school: School) -> None:
    school.show(n101=0)
    school.watch("101")
    school.site.failing["term/search"] = Answer(429, b"", headers={"Retry-After": "1200"})
    two.poll()
    pause = two.rollcall.services.store.pauses.find(school.name)
    assert pause is not None
    assert pause.until == two.rollcall.clock.now() + timedelta(minutes=20)


def test_a_slow_host_delays_no_other(two: Polling) -> None:
    slow, fast = two.schools
    for each in two.schools:
        each.show(n101=0)
        each.watch("101")
    has_answered, waited = Event(), list[bool]()
    fast.site.before_page = lambda _: has_answered.set()
    slow.site.before_page = lambda _: waited.append(has_answered.wait(10))
    two.poll()
    assert (waited, slow.state.failures) == ([True], 0)


@pytest.mark.parametrize(
    ("guard", "seats", "mails"),
    [
        (GuardState.FROZEN, 0, 0),
        (GuardState.HELD, 0, 0),
        (GuardState.RELEASED, 2, 1),
        (GuardState.DISCARDED, 2, 0),
    ],
)
def test_a_guard_withholds_answers_and_ends_with_a_good_poll(
    two: Polling, school: School, guard: GuardState, seats: int, mails: int
) -> None:
    school.show(n101=0)
    school.watch("101")
    two.poll()
    with two.rollcall.database.write() as connection:
        connection.execute(update(catalog_polls).values(guard=guard, guard_reason="a test", good_polls=0))
    school.show(n101=2)
    two.poll()
    is_withheld = guard in {GuardState.FROZEN, GuardState.HELD}
    assert (school.seats("101"), len(two.mailed)) == (seats, mails)
    assert school.state.guard is (guard if is_withheld else GuardState.CLEAR)


def test_a_term_of_many_pages_is_polled_and_one_change_is_announced(two: Polling, school: School) -> None:
    school.show(**{f"n{crn}": crn % 4 for crn in range(10000, 12001)})
    school.watch("12000")
    two.poll()
    assert school.state.known_rows == 2001
    school.show(n11999=9, n12000=9)
    two.poll()
    assert (two.mailed, school.seats("12000")) == ([SEAT], 9)


def test_polls_are_counted(two: Polling, school: School) -> None:
    school.show(n101=0, n102=1)
    school.watch("101")
    two.poll()
    school.site.failing["term/search"] = school.site.failing["searchResults/searchResults"] = Answer(500, b"")
    two.poll()
    counts = two.rollcall.services.recorder.take()
    assert POLLS.value(counts, school.name, NO_FAULT) == 1
    assert POLLS.value(counts, school.name, CatalogFault.UNAVAILABLE) == 1
    assert POLL_ROWS.value(counts, school.name) == 2
    assert POLL_REQUESTS.value(counts, school.name) >= 3
    assert (school.state.polls, school.state.error) == (2, school.state.error)
    assert "500" in (school.state.error or "")


def test_the_scheduler_publishes_one_message_while_a_term_is_due(two: Polling, school: School) -> None:
    services, messages = two.rollcall.services, two.rollcall.messages
    publish_due_polls(services, EMPTY)
    assert messages == []
    school.watch("101")
    assert due_terms(services) == [(school.name, TERM)]
    publish_due_polls(services, EMPTY | {"poll": 1})
    assert messages == []
    publish_due_polls(services, EMPTY)
    assert [message.actor_name for message in messages] == ["catalogs.poll"]
    services.poll_lease.acquire("a worker", {})
    publish_due_polls(services, EMPTY)
    assert len(messages) == 1


def test_a_term_that_is_due_soon_is_polled_by_a_worker_that_stays(two: Polling, school: School) -> None:
    school.show(n101=0)
    school.watch("101")
    two.poll()
    assert due_terms(two.rollcall.services) == []
    two.rollcall.clock.advance(58)
    poll(two.rollcall.services, linger_seconds=0)
    assert school.state.polls == 1
    two.rollcall.clock.advance(4)
    poll(two.rollcall.services, linger_seconds=0)
    assert school.state.polls == 2


def test_a_worker_without_catalogs_polls_nothing(two: Polling) -> None:
    poll(replace(two.rollcall.services, catalogs={}))
    assert two.rollcall.services.poll_lease.held() is None
