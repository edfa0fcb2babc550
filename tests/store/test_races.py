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
from tests.store.harness import ADA, LEASE, LIFETIME, StoreHarness, key
from tests.store.rivals import is_any_blocked, overlapping
from tests.support.stack import wait_until

pytestmark = pytest.mark.parametrize("backend", ["postgresql"])
COOLDOWN = timedelta(minutes=10)


def _claim(
    store: StoreHarness, outbox: Outbox, limit: int = 100, at: datetime | None = None
) -> MailBatch | None:
    return outbox.claim(at or store.clock.now(), limit=limit, lease=LEASE)


def _lock(database: Database, *keys: SectionKey) -> None:
    with database.write() as connection:
        load(connection, keys)


def test_an_opening_that_is_seen_while_another_is_collected_waits_for_the_cooldown(
    store: StoreHarness,
) -> None:
    store = replace(store, cooldown=COOLDOWN)
    store.watch()
    store.show(0, 1)
    left_at = store.clock.now()
    claimed, _ = overlapping(
        store.database, lambda held: _claim(store, Outbox(held), at=left_at), lambda: store.show(0, 1)
    )
    assert claimed is not None
    assert store.states() == [(1, NotificationState.SENDING), (2, NotificationState.PENDING)]
    assert store.notifications()[1].due_at >= left_at + COOLDOWN


def test_two_senders_never_exceed_the_daily_cap(store: StoreHarness) -> None:
    for number in ("12430", "12432"):
        store.watch(number)
        store.show(0, 1, number=number)
    first, second = overlapping(
        store.database,
        lambda held: _claim(store, Outbox(held, daily_cap=1), 1),
        lambda: _claim(store, Outbox(store.database, daily_cap=1), 1),
    )
    assert first is not None
    assert second is None
    assert sorted(state for _, state in store.states()) == [
        NotificationState.SENDING,
        NotificationState.SUPPRESSED,
    ]


def test_a_stale_fence_starts_no_run_while_a_newer_one_does(store: StoreHarness) -> None:
    newer, older = store.open(), store.open()

    def start(runs: Runs, run_id: str, fence: int) -> list[int]:
        now = store.clock.now()
        return runs.start(run_id, [[key()]], fence=fence, deferred=0, lifetime=LIFETIME, now=now)

    store.watch()
    ids, stale = overlapping(
        store.database,
        lambda held: start(Runs(held), newer.id, 9),
        lambda: start(store.runs, older.id, 8),
    )
    assert (len(ids), stale) == (1, [])


def test_two_pauses_at_once_are_one(store: StoreHarness) -> None:
    now = store.clock.now()

    def pause(pauses: Pauses, minutes: int) -> None:
        pauses.pause("scraper", now + timedelta(minutes=minutes), "401", ROLLCALL, now)

    overlapping(store.database, lambda held: pause(Pauses(held), 20), lambda: pause(store.pauses, 15))
    found = store.pauses.find("scraper")
    assert found is not None
    assert found.until == now + timedelta(minutes=20)


def test_two_watches_of_one_person_at_once_are_one(store: StoreHarness) -> None:
    wish = store.watch("12432").watch
    wish = replace(wish, key=key("12434"))
    first, second = overlapping(
        store.database,
        lambda held: Watches(held).add(wish, store.clock.now()),
        lambda: store.watches.add(wish, store.clock.now()),
    )
    assert (first[1], second[1], first[0].id) == (True, False, second[0].id)


def test_two_jobs_under_one_key_are_one(store: StoreHarness) -> None:
    new = NewJob("report", Profile.REALTIME, {}, idempotency_key="order-1")
    first, second = overlapping(
        store.database,
        lambda held: Jobs(held).add(new, store.clock.now()),
        lambda: Jobs(store.database).add(new, store.clock.now()),
    )
    assert (first[1], second[1], first[0].id) == (True, False, second[0].id)


def test_a_lost_job_is_published_by_one_of_two_reconcilers(store: StoreHarness) -> None:
    Jobs(store.database).add(
        NewJob("report", Profile.REALTIME, {}, idempotency_key="order-1"), store.clock.now()
    )
    before, now = store.clock.now(), store.clock.advance(10)
    first, second = overlapping(
        store.database,
        lambda held: Jobs(held).claim_lost(Profile.REALTIME, before, now),
        lambda: Jobs(store.database).claim_lost(Profile.REALTIME, before, now),
    )
    assert (len(first), second) == (1, [])


def test_a_sender_that_hands_over_while_its_batch_dissolves_hands_nothing_over(store: StoreHarness) -> None:
    store.watch(email=ADA)
    store.show(0, 1)
    late = store.claimed()
    store.outbox.freeze(late, [])
    now = store.clock.advance(LEASE.total_seconds())

    def hand_over() -> bool:
        try:
            store.outbox.hand_over(late, now - timedelta(seconds=1), lease=LEASE)  # by a clock that is behind
        except LostBatchError:
            return False
        return True

    claimed, is_handed_over = overlapping(store.database, lambda held: _claim(store, Outbox(held)), hand_over)
    assert claimed is not None
    assert not is_handed_over


def test_a_term_ends_while_a_check_of_it_writes_what_is_news(store: StoreHarness) -> None:
    now = store.clock.now()
    store.watch()
    store.show(0)
    with ThreadPoolExecutor(1) as threads, store.database.write() as connection:
        row_id, state = load(connection, [key()])[key()]
        ended = threads.submit(Terms(store.database).end, ("scraper", "2261"), now)
        wait_until(lambda: is_any_blocked(store.database), "the term did not wait")
        assert create.create(connection, [(row_id, state, SeatsIncreased(0, 1, 1))], now, timedelta(0)) == 1
    assert ended.result() == EndedTerm(1, 1)


def test_a_run_that_ends_retires_no_section_that_another_is_writing_and_waits_for_none(
    store: StoreHarness,
) -> None:
    numbers = [str(number) for number in range(12430, 12440)]
    for number in numbers:
        store.watch(number)
    store.check(*(store.observation(1, number=number) for number in numbers))
    with store.database.write() as connection:
        of_first = sections.c.number == numbers[0]
        connection.execute(
            update(sections).where(of_first).values(misses=MISSES_TO_RETIRE, missing_since_ms=1)
        )
    _, settled = overlapping(
        store.database,
        lambda held: _lock(held, key(numbers[0])),
        lambda: store.check(store.observation(1, number=numbers[1])),
    )
    assert (settled.run_finished, settled.notifications) == (True, 0)
    assert store.check(store.observation(1, number=numbers[1])).notifications == 1
