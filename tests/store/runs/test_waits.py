from __future__ import annotations

from datetime import timedelta

from domain.run import WaitReason
from store.notifications.outbox import MailBatch
from store.runs.waits import Waits
from tests.store.harness import LEASE, StoreHarness, key, message

FAR = timedelta(hours=9)


def parked(store: StoreHarness, number: str, reason: WaitReason, source: str = "scraper") -> int:
    _, (batch_id,) = store.start([key(number, source=source)])
    store.checks.reschedule(batch_id, store.clock.now() + FAR, reason, "why")
    return batch_id


def test_what_waits_is_known_by_source_and_reason(store: StoreHarness) -> None:
    parked(store, "1", WaitReason.BREAKER)
    parked(store, "2", WaitReason.BREAKER)
    parked(store, "3", WaitReason.PAUSE, source="campus")
    store.start([key("4")])
    assert Waits(store.database).reasons() == {
        ("scraper", WaitReason.BREAKER),
        ("campus", WaitReason.PAUSE),
    }


def test_the_end_of_a_reason_ends_the_wait_for_it_and_for_nothing_else(store: StoreHarness) -> None:
    waits, now = Waits(store.database), store.clock.now()
    for_breaker = parked(store, "1", WaitReason.BREAKER)
    for_quota = parked(store, "2", WaitReason.RATE_LIMIT)
    parked(store, "3", WaitReason.BREAKER, source="campus")
    assert waits.resume("scraper", [WaitReason.BREAKER]) == 1
    assert store.runs.claim_due_batches(now) == [for_breaker]
    assert waits.resume("scraper") == 1
    assert store.runs.claim_due_batches(now) == [for_quota]
    assert waits.reasons() == {("campus", WaitReason.BREAKER)}


def test_the_back_off_of_a_failure_and_work_in_hand_are_left_alone(store: StoreHarness) -> None:
    store.start([key("1")])
    assert Waits(store.database).reasons() == set()
    assert Waits(store.database).resume("scraper") == 0


def test_mail_that_was_postponed_is_due_at_once_and_what_a_sender_has_in_hand_is_not(
    store: StoreHarness,
) -> None:
    waits = Waits(store.database)
    for number in ("12430", "12432"):
        store.watch(number)
        store.show(0, number=number)
    store.clock.advance(60)
    put_off, in_hand = (claimed(store, number) for number in ("12430", "12432"))
    store.outbox.freeze(put_off, [message()])
    store.outbox.hand_over(put_off, store.clock.now(), lease=LEASE)
    store.outbox.postpone(put_off, store.clock.now() + FAR, "503")
    assert waits.resume("mail") == 1
    again = store.outbox.claim(store.clock.now(), limit=10, lease=LEASE)
    assert again is not None
    assert again.key == put_off.key != in_hand.key
    assert store.outbox.claim(store.clock.now(), limit=10, lease=LEASE) is None


def claimed(store: StoreHarness, number: str) -> MailBatch:
    store.show(1, number=number)
    batch = store.outbox.claim(store.clock.now(), limit=10, lease=LEASE)
    assert batch is not None
    return batch
