from __future__ import annotations

from datetime import timedelta

from domain.run import WaitReason
from store.notifications.outbox import MailBatch
from store.runs.waits import Waits
from tests.store.desk import LEASE, Desk, key, message

FAR = timedelta(hours=9)


def parked(desk: Desk, number: str, reason: WaitReason, source: str = "scraper") -> int:
    _, (batch_id,) = desk.start([key(number, source=source)])
    desk.checks.reschedule(batch_id, desk.clock.now() + FAR, reason, "why")
    return batch_id


def test_what_waits_is_known_by_source_and_reason(desk: Desk) -> None:
    parked(desk, "1", WaitReason.BREAKER)
    parked(desk, "2", WaitReason.BREAKER)
    parked(desk, "3", WaitReason.PAUSE, source="campus")
    desk.start([key("4")])
    assert Waits(desk.database).reasons() == {
        ("scraper", WaitReason.BREAKER),
        ("campus", WaitReason.PAUSE),
    }


def test_the_end_of_a_reason_ends_the_wait_for_it_and_for_nothing_else(desk: Desk) -> None:
    waits, now = Waits(desk.database), desk.clock.now()
    for_breaker = parked(desk, "1", WaitReason.BREAKER)
    for_quota = parked(desk, "2", WaitReason.RATE_LIMIT)
    parked(desk, "3", WaitReason.BREAKER, source="campus")
    assert waits.resume("scraper", [WaitReason.BREAKER]) == 1
    assert desk.runs.claim_due_batches(now) == [for_breaker]
    assert waits.resume("scraper") == 1
    assert desk.runs.claim_due_batches(now) == [for_quota]
    assert waits.reasons() == {("campus", WaitReason.BREAKER)}


def test_the_back_off_of_a_failure_and_work_in_hand_are_left_alone(desk: Desk) -> None:
    desk.start([key("1")])
    assert Waits(desk.database).reasons() == set()
    assert Waits(desk.database).resume("scraper") == 0


def test_mail_that_was_postponed_is_due_at_once_and_what_a_sender_has_in_hand_is_not(desk: Desk) -> None:
    waits = Waits(desk.database)
    for number in ("12430", "12432"):
        desk.watch(number)
        desk.show(0, number=number)
    desk.clock.advance(60)
    put_off, in_hand = (claimed(desk, number) for number in ("12430", "12432"))
    desk.outbox.freeze(put_off, [message()])
    desk.outbox.hand_over(put_off, desk.clock.now(), lease=LEASE)
    desk.outbox.postpone(put_off, desk.clock.now() + FAR, "503")
    assert waits.resume("mail") == 1
    again = desk.outbox.claim(desk.clock.now(), limit=10, lease=LEASE)
    assert again is not None
    assert again.key == put_off.key != in_hand.key
    assert desk.outbox.claim(desk.clock.now(), limit=10, lease=LEASE) is None


def claimed(desk: Desk, number: str) -> MailBatch:
    desk.show(1, number=number)
    batch = desk.outbox.claim(desk.clock.now(), limit=10, lease=LEASE)
    assert batch is not None
    return batch
