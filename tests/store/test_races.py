"""Transactions that overlap under READ COMMITTED, where neither sees what the other has not committed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from domain.job import NewJob, Profile
from domain.notification import NotificationState
from domain.section import SectionKey
from domain.section_state import MISSES_TO_RETIRE, SeatsIncreased
from store.database import Database
from store.jobs.jobs import Jobs
from store.notifications import create
from store.notifications.outbox import LostBatchError, MailBatch, Outbox
from store.pauses import ROLLCALL, Pauses
from store.runs.runs import Runs
from store.schema import sections
from store.sections.states import load
from store.terms import EndedTerm, Terms
from store.watches import Watches
from tests.store.desk import ADA, LEASE, LIFETIME, Desk, key
from tests.store.rivals import is_any_blocked, overlapping
from tests.support.stack import wait_until

pytestmark = pytest.mark.parametrize("backend", ["postgresql"])
COOLDOWN = timedelta(minutes=10)


def _claim(desk: Desk, outbox: Outbox, limit: int = 100, at: datetime | None = None) -> MailBatch | None:
    return outbox.claim(at or desk.clock.now(), limit=limit, lease=LEASE)


def _lock(database: Database, *keys: SectionKey) -> None:
    with database.write() as connection:
        load(connection, keys)


def test_an_opening_that_is_seen_while_another_is_collected_waits_for_the_cooldown(desk: Desk) -> None:
    desk = replace(desk, cooldown=COOLDOWN)
    desk.watch()
    desk.show(0, 1)
    left_at = desk.clock.now()
    claimed, _ = overlapping(
        desk.database, lambda held: _claim(desk, Outbox(held), at=left_at), lambda: desk.show(0, 1)
    )
    assert claimed is not None
    assert desk.states() == [(1, NotificationState.SENDING), (2, NotificationState.PENDING)]
    assert desk.notifications()[1].due_at >= left_at + COOLDOWN


def test_two_senders_never_exceed_the_daily_cap(desk: Desk) -> None:
    for number in ("12430", "12432"):
        desk.watch(number)
        desk.show(0, 1, number=number)
    first, second = overlapping(
        desk.database,
        lambda held: _claim(desk, Outbox(held, daily_cap=1), 1),
        lambda: _claim(desk, Outbox(desk.database, daily_cap=1), 1),
    )
    assert first is not None
    assert second is None
    assert sorted(state for _, state in desk.states()) == [
        NotificationState.SENDING,
        NotificationState.SUPPRESSED,
    ]


def test_a_stale_fence_starts_no_run_while_a_newer_one_does(desk: Desk) -> None:
    newer, older = desk.open(), desk.open()

    def start(runs: Runs, run_id: str, fence: int) -> list[int]:
        now = desk.clock.now()
        return runs.start(run_id, [[key()]], fence=fence, deferred=0, lifetime=LIFETIME, now=now)

    desk.watch()
    ids, stale = overlapping(
        desk.database,
        lambda held: start(Runs(held), newer.id, 9),
        lambda: start(desk.runs, older.id, 8),
    )
    assert (len(ids), stale) == (1, [])


def test_two_pauses_at_once_are_one(desk: Desk) -> None:
    now = desk.clock.now()

    def pause(pauses: Pauses, minutes: int) -> None:
        pauses.pause("scraper", now + timedelta(minutes=minutes), "401", ROLLCALL, now)

    overlapping(desk.database, lambda held: pause(Pauses(held), 20), lambda: pause(desk.pauses, 15))
    found = desk.pauses.find("scraper")
    assert found is not None
    assert found.until == now + timedelta(minutes=20)


def test_two_watches_of_one_person_at_once_are_one(desk: Desk) -> None:
    wish = desk.watch("12432").watch
    wish = replace(wish, key=key("12434"))
    first, second = overlapping(
        desk.database,
        lambda held: Watches(held).add(wish, desk.clock.now()),
        lambda: desk.watches.add(wish, desk.clock.now()),
    )
    assert (first[1], second[1], first[0].id) == (True, False, second[0].id)


def test_two_jobs_under_one_key_are_one(desk: Desk) -> None:
    new = NewJob("report", Profile.REALTIME, {}, idempotency_key="order-1")
    first, second = overlapping(
        desk.database,
        lambda held: Jobs(held).add(new, desk.clock.now()),
        lambda: Jobs(desk.database).add(new, desk.clock.now()),
    )
    assert (first[1], second[1], first[0].id) == (True, False, second[0].id)


def test_a_lost_job_is_published_by_one_of_two_reconcilers(desk: Desk) -> None:
    Jobs(desk.database).add(
        NewJob("report", Profile.REALTIME, {}, idempotency_key="order-1"), desk.clock.now()
    )
    before, now = desk.clock.now(), desk.clock.advance(10)
    first, second = overlapping(
        desk.database,
        lambda held: Jobs(held).claim_lost(Profile.REALTIME, before, now),
        lambda: Jobs(desk.database).claim_lost(Profile.REALTIME, before, now),
    )
    assert (len(first), second) == (1, [])


def test_a_sender_that_hands_over_while_its_batch_dissolves_hands_nothing_over(desk: Desk) -> None:
    desk.watch(email=ADA)
    desk.show(0, 1)
    late = desk.claimed()
    desk.outbox.freeze(late, [])
    now = desk.clock.advance(LEASE.total_seconds())

    def hand_over() -> bool:
        try:
            desk.outbox.hand_over(late, now - timedelta(seconds=1), lease=LEASE)  # by a clock that is behind
        except LostBatchError:
            return False
        return True

    claimed, is_handed_over = overlapping(desk.database, lambda held: _claim(desk, Outbox(held)), hand_over)
    assert claimed is not None
    assert not is_handed_over


def test_a_term_ends_while_a_check_of_it_writes_what_is_news(desk: Desk) -> None:
    now = desk.clock.now()
    desk.watch()
    desk.show(0)
    with ThreadPoolExecutor(1) as threads, desk.database.write() as connection:
        row_id, state = load(connection, [key()])[key()]
        ended = threads.submit(Terms(desk.database).end, ("scraper", "2261"), now)
        wait_until(lambda: is_any_blocked(desk.database), "the term did not wait")
        assert create.create(connection, [(row_id, state, SeatsIncreased(0, 1, 1))], now, timedelta(0)) == 1
    assert ended.result() == EndedTerm(1, 1)


def test_a_run_that_ends_retires_no_section_that_another_is_writing_and_waits_for_none(desk: Desk) -> None:
    numbers = [str(number) for number in range(12430, 12440)]
    for number in numbers:
        desk.watch(number)
    desk.check(*(desk.seen(1, number=number) for number in numbers))
    with desk.database.write() as connection:
        of_first = sections.c.number == numbers[0]
        connection.execute(update(sections).where(of_first).values(misses=MISSES_TO_RETIRE))
    _, settled = overlapping(
        desk.database,
        lambda held: _lock(held, key(numbers[0])),
        lambda: desk.check(desk.seen(1, number=numbers[1])),
    )
    assert (settled.run_finished, settled.notifications) == (True, 0)
    assert desk.check(desk.seen(1, number=numbers[1])).notifications == 1
