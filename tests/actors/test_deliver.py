from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import redis

from actors.deliver import deliver
from actors.mail_batch_sender import LEASE
from domain.errors import (
    AccountRefusedError,
    IdempotencyKeyUsedError,
    RateLimitedError,
    RejectedError,
    UnauthorisedError,
    UnreachableError,
    UpstreamTimeoutError,
)
from domain.notification import (
    Deferred,
    DeliveryResult,
    Notification,
    NotificationState,
    OutboundMessage,
    Rejected,
)
from domain.notification_policy import GONE_AGAIN
from domain.ports import unconditionally
from tests.support.catalog import Row
from tests.support.clock import FakeClock
from tests.support.harness import Harness, harness, sqlite_url
from tests.support.mailer import FakeMailer


def open_a_seat(rollcall: Harness, *, watchers: int = 1) -> None:
    for i in range(watchers):
        rollcall.watch(email=f"student{i}@example.edu")
    row = rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    row.open_seats = 1
    rollcall.clock.advance(60)
    rollcall.run()


def test_messages_leave_in_batches_of_what_the_transport_takes(rollcall: Harness) -> None:
    rollcall.mailer.batch_size = 4
    open_a_seat(rollcall, watchers=10)
    assert rollcall.mailer.calls == 3
    assert len({message.to for message in rollcall.mailer.sent}) == 10


def test_a_lost_answer_is_repeated_under_the_same_key_and_sends_no_mail_twice(rollcall: Harness) -> None:
    rollcall.mailer.accepts_despite_errors = True
    rollcall.mailer.errors.append(UpstreamTimeoutError("no answer"))
    open_a_seat(rollcall, watchers=2)
    assert {state for _, _, state in rollcall.states()} == {NotificationState.SENDING}
    rollcall.advance(6)
    assert {state for _, _, state in rollcall.states()} == {NotificationState.SENT}
    assert (rollcall.mailer.calls, len(rollcall.mailer.sent), len(rollcall.mailer.keys)) == (2, 2, 1)


def test_a_provider_that_is_down_for_hours_loses_nothing(rollcall: Harness) -> None:
    rollcall.mailer.errors.extend([UnreachableError("refused")] * 8)
    open_a_seat(rollcall)
    for _ in range(40):
        rollcall.advance(301)
    assert [state for _, _, state in rollcall.states()] == [NotificationState.SENT]


def test_a_batch_of_unknown_fate_is_reported_when_its_key_has_expired(rollcall: Harness) -> None:
    rollcall.mailer.errors.extend([UpstreamTimeoutError("no answer")] * 10_000)
    open_a_seat(rollcall)
    for _ in range(60):
        rollcall.advance(1500)
    assert [state for _, _, state in rollcall.states()] == [NotificationState.DEAD]
    page, _ = rollcall.services.store.deliveries.page(watch_id=None, state=None, before=None, limit=1)
    assert page[0].reason is not None
    assert "unknown whether it was sent" in page[0].reason


def test_a_refused_batch_is_dead_with_its_reason(rollcall: Harness) -> None:
    rollcall.mailer.errors.append(RejectedError("no such domain"))
    open_a_seat(rollcall)
    page, _ = rollcall.services.store.deliveries.page(watch_id=None, state=None, before=None, limit=1)
    assert page[0].state is NotificationState.DEAD
    assert page[0].reason == "RejectedError: no such domain"


@pytest.mark.parametrize("error", [UnauthorisedError("bad key"), AccountRefusedError("daily quota")])
def test_a_refusal_of_the_account_pauses_mail_until_it_is_repaired(
    rollcall: Harness, error: AccountRefusedError
) -> None:
    rollcall.mailer.errors.append(error)
    open_a_seat(rollcall, watchers=3)
    pause = rollcall.services.store.pauses.find("mail")
    assert pause is not None
    assert (pause.by, str(error) in pause.reason) == ("rollcall", True)
    rollcall.advance(301)
    assert rollcall.mailer.calls == 1
    rollcall.advance(601)
    assert {state for _, _, state in rollcall.states()} == {NotificationState.SENT}
    assert rollcall.services.store.pauses.find("mail") is None
    assert rollcall.services.breakers["mail"].snapshot().failures == 0


def test_an_account_that_stays_refused_costs_one_message_a_try_and_no_message_dies(rollcall: Harness) -> None:
    rollcall.mailer.errors.extend([AccountRefusedError("550 5.4.5 daily limit")] * 200)
    open_a_seat(rollcall, watchers=5)
    for _ in range(100):
        rollcall.advance(901)
    assert {state for _, _, state in rollcall.states()} <= {
        NotificationState.SENDING,
        NotificationState.PENDING,
    }
    assert 90 < rollcall.mailer.calls <= 101
    rollcall.mailer.errors.clear()
    rollcall.advance(901)
    assert {state for _, _, state in rollcall.states()} == {NotificationState.SENT}


def test_an_operator_ends_a_wait_that_the_provider_named_and_it_is_bounded(rollcall: Harness) -> None:
    rollcall.mailer.errors.append(RateLimitedError("429", retry_after_seconds=1_209_600))
    open_a_seat(rollcall)
    pause = rollcall.services.store.pauses.find("mail")
    assert pause is not None
    assert pause.until - rollcall.clock.now() == timedelta(hours=1)
    rollcall.services.store.pauses.resume("mail")
    rollcall.advance(1)
    assert rollcall.states()[0][2] is NotificationState.SENT


def test_a_wait_that_is_over_is_followed_by_one_message_alone(rollcall: Harness) -> None:
    rollcall.mailer.errors.extend([RateLimitedError("429", retry_after_seconds=1_209_600)] * 2)
    open_a_seat(rollcall, watchers=3)
    rollcall.advance(3601)
    pause = rollcall.services.store.pauses.find("mail")
    assert pause is not None
    assert (rollcall.mailer.calls, pause.is_in_force(rollcall.clock.now())) == (2, True)
    rollcall.advance(3601)
    assert rollcall.mailer.calls == 4
    assert {state for _, _, state in rollcall.states()} == {NotificationState.SENT}


@dataclass
class Picky(FakeMailer):
    """A transport that takes no letter to some addresses: for good, for now, or not with the others."""

    refused: frozenset[str] = frozenset()
    deferred: frozenset[str] = frozenset()
    spoiling: frozenset[str] = frozenset()

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        if any(message.to in self.spoiling for message in messages):
            self.calls += 1
            before_handover()
            raise RejectedError("422 validation_error")
        taken = [message for message in messages if self._takes(message)]
        receipts = iter(FakeMailer.send(self, taken, idempotency_key, before_handover))
        return [next(receipts) if self._takes(message) else self._refusal(message) for message in messages]

    def _takes(self, message: OutboundMessage) -> bool:
        return message.to not in self.refused | self.deferred

    def _refusal(self, message: OutboundMessage) -> DeliveryResult:
        return Rejected("550 5.1.1") if message.to in self.refused else Deferred("450 4.2.1 busy")


def taking(rollcall: Harness, post: FakeMailer) -> Harness:
    return replace(rollcall, mailer=post, services=replace(rollcall.services, mailer=post))


def test_recipients_that_are_postponed_cost_the_others_nothing_and_end_dead_after_a_day(
    rollcall: Harness,
) -> None:
    found = taking(rollcall, Picky(deferred=frozenset(f"student{i}@example.edu" for i in range(3))))
    open_a_seat(found, watchers=5)
    assert {message.to for message in found.mailer.sent} == {"student3@example.edu", "student4@example.edu"}
    for hour in range(23):
        found.advance(3600)
        assert [state for _, _, state in found.states()].count(NotificationState.PENDING) == 3, hour
    for _ in range(12):
        found.advance(3600)
    dead = [(state, reason) for state, reason in reasons(found) if state is NotificationState.DEAD]
    assert dead == [(NotificationState.DEAD, "deferred 30 times: 450 4.2.1 busy")] * 3
    assert found.services.breakers["mail"].snapshot().failures == 0


def test_a_message_that_was_postponed_leaves_when_it_is_taken(rollcall: Harness) -> None:
    found = taking(rollcall, Picky(deferred=frozenset({"student0@example.edu"})))
    open_a_seat(found)
    found.advance(59)
    assert found.states()[0][2] is NotificationState.PENDING
    found.services = replace(found.services, mailer=rollcall.mailer)
    found.advance(2)
    assert reasons(found) == [(NotificationState.SENT, None)]


def test_a_batch_refused_for_one_message_is_split_and_the_others_leave_once(rollcall: Harness) -> None:
    found = taking(rollcall, Picky(spoiling=frozenset({"student2@example.edu"})))
    open_a_seat(found, watchers=5)
    assert sorted(message.to for message in found.mailer.sent) == [
        f"student{i}@example.edu" for i in (0, 1, 3, 4)
    ]
    assert [state for _, _, state in found.states()].count(NotificationState.DEAD) == 1
    assert len(found.mailer.keys) == 4


def test_a_key_that_sent_other_messages_is_never_sent_blindly(rollcall: Harness) -> None:
    rollcall.mailer.errors.append(IdempotencyKeyUsedError("409"))
    open_a_seat(rollcall, watchers=2)
    assert {state for _, _, state in rollcall.states()} == {NotificationState.DEAD}
    assert all("unknown whether it was sent" in str(reason) for _, reason in reasons(rollcall))
    assert rollcall.mailer.calls == 1


@dataclass
class Poisoned(FakeMailer):
    """A transport that hangs up on letters to some addresses."""

    poison: str = ""

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        if any(message.to == self.poison for message in messages):
            self.calls += 1
            before_handover()
            raise UpstreamTimeoutError("no answer in time")
        return FakeMailer.send(self, messages, idempotency_key, before_handover)


def test_probes_are_drawn_from_what_has_not_failed(rollcall: Harness) -> None:
    post = Poisoned(poison="student0@example.edu", batch_size=1)
    found = taking(rollcall, post)
    open_a_seat(found)
    for _ in range(10):
        found.advance(301)
    assert found.services.breakers["mail"].snapshot().state == "open"
    for i in range(1, 4):
        found.watch(email=f"student{i}@example.edu")
    row = found.catalog.rows[found.key()]
    for seats in (0, 1):
        row.open_seats = seats
        found.clock.advance(10)
        found.run()
    for _ in range(2):  # the newer letter to the same address is as fresh as the others, once
        found.advance(121)
    assert len(post.sent) == 3
    assert found.services.breakers["mail"].snapshot().state == "closed"


def test_messages_that_the_provider_is_too_busy_for_can_still_be_withdrawn(rollcall: Harness) -> None:
    rollcall.mailer.errors.append(RateLimitedError("later", retry_after_seconds=600))
    open_a_seat(rollcall)
    rollcall.services.store.watches.end(1, "deleted", rollcall.clock.now())
    rollcall.advance(601)
    assert [state for _, _, state in rollcall.states()] == [NotificationState.SUPPRESSED]
    assert rollcall.mailer.calls == 1


def test_messages_of_unknown_fate_keep_their_key_though_the_provider_is_busy_then(rollcall: Harness) -> None:
    rollcall.mailer.accepts_despite_errors = True
    rollcall.mailer.errors.append(UpstreamTimeoutError("no answer"))
    open_a_seat(rollcall)
    rollcall.mailer.accepts_despite_errors = False
    rollcall.mailer.errors.append(RateLimitedError("later", retry_after_seconds=60))
    rollcall.advance(6)
    rollcall.advance(61)
    assert [state for _, _, state in rollcall.states()] == [NotificationState.SENT]
    assert (rollcall.mailer.calls, len(rollcall.mailer.keys)) == (3, 1)


@dataclass
class SlowPost(FakeMailer):
    """A transport that takes six seconds for each letter."""

    clock: FakeClock = field(default_factory=FakeClock)

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        self.clock.advance(6)
        return FakeMailer.send(self, messages, idempotency_key, before_handover)


def test_a_long_backlog_is_sent_in_spells(rollcall: Harness) -> None:
    patient = replace(rollcall.services, mailer=(post := SlowPost(batch_size=1, clock=rollcall.clock)))
    now = rollcall.clock.now()
    rollcall.services.store.pauses.pause("mail", now + timedelta(days=1), "works", "operator", now)
    open_a_seat(rollcall, watchers=5)
    rollcall.services.store.pauses.resume("mail")
    sent = list[int]()
    while not sent or rollcall.messages:
        rollcall.messages.clear()
        deliver(patient)
        sent.append(len(post.sent))
    assert sent == [2, 4, 5]


def test_ten_failures_open_the_mail_breaker_and_waiting_messages_are_only_parked(rollcall: Harness) -> None:
    rollcall.mailer.errors.extend([UnreachableError("refused")] * 10)
    open_a_seat(rollcall)
    for _ in range(9):
        rollcall.advance(301)
    assert rollcall.services.breakers["mail"].snapshot().state == "open"
    calls = rollcall.mailer.calls
    rollcall.services.publish(deliver.message())
    rollcall.advance(60)
    assert rollcall.mailer.calls == calls
    for _ in range(3):
        rollcall.advance(301)
    assert rollcall.states()[0][2] is NotificationState.SENT


def test_a_watch_that_ended_before_the_message_left_gets_none(rollcall: Harness) -> None:
    stored = rollcall.watch()
    row = rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    row.open_seats = 1
    rollcall.clock.advance(60)
    rollcall.services.breakers["mail"].force_open("test")
    rollcall.run()
    rollcall.services.store.watches.end(stored.id, "unsubscribed", rollcall.clock.now())
    rollcall.services.breakers["mail"].reset("test")
    rollcall.advance(130)
    assert rollcall.mailer.sent == []


def test_an_address_gets_no_more_mails_a_day_than_its_cap(
    tmp_path: Path, redis_client: redis.Redis, prefix: str
) -> None:
    with harness(sqlite_url(tmp_path), redis_client, prefix, settings={"MAIL_DAILY_CAP": "2"}) as rollcall:
        for number in ("12430", "12432", "12434"):
            rollcall.watch(number)
            rollcall.catalog.rows[rollcall.key(number)] = Row(open_seats=0)
        rollcall.run()
        for row in rollcall.catalog.rows.values():
            row.open_seats = 1
        rollcall.clock.advance(60)
        rollcall.run()
        assert len(rollcall.mailer.sent) == 2
        assert sorted(state for _, _, state in rollcall.states()) == ["sent", "sent", "suppressed"]
        for row in rollcall.catalog.rows.values():
            row.open_seats = 0
        rollcall.clock.advance(86_401)
        rollcall.run()
        for row in rollcall.catalog.rows.values():
            row.open_seats = 1
        rollcall.clock.advance(60)
        rollcall.run()
        assert len(rollcall.mailer.sent) == 4


def test_one_notification_that_cannot_be_rendered_does_not_hold_up_the_others(rollcall: Harness) -> None:
    render = rollcall.services.render

    def render_but_one(notification: Notification, now: datetime) -> OutboundMessage:
        if notification.email == "student0@example.edu":
            raise ValueError("cannot")
        return render(notification, now)

    broken = replace(rollcall, services=replace(rollcall.services, render=render_but_one))
    open_a_seat(broken, watchers=3)
    assert sorted(state for _, _, state in broken.states()) == [
        NotificationState.DEAD,
        NotificationState.SENT,
        NotificationState.SENT,
    ]


def crash(rollcall: Harness, *, is_handed_over: bool = False) -> None:
    """A sender takes the next batch and dies with it; its lease runs out."""
    outbox, now = rollcall.services.store.outbox, rollcall.clock.now()
    batch = outbox.claim(now, limit=100, lease=LEASE)
    assert batch is not None
    if is_handed_over:
        if batch.messages is None:
            outbox.freeze(
                batch,
                [
                    rollcall.services.render(notification, rollcall.clock.now())
                    for notification in batch.notifications
                ],
            )
        outbox.hand_over(batch, now, lease=LEASE)
    rollcall.clock.advance(LEASE.total_seconds())


def open_a_seat_while_mail_waits(rollcall: Harness, *, watchers: int) -> None:
    rollcall.services.breakers["mail"].force_open("test")
    open_a_seat(rollcall, watchers=watchers)
    rollcall.services.breakers["mail"].reset("test")


def reasons(rollcall: Harness) -> list[tuple[NotificationState, str | None]]:
    page, _ = rollcall.services.store.deliveries.page(watch_id=None, state=None, before=None, limit=100)
    return [(stored.state, stored.reason) for stored in reversed(page)]


def test_a_message_that_killed_three_workers_is_dead_and_those_beside_it_leave(rollcall: Harness) -> None:
    open_a_seat_while_mail_waits(rollcall, watchers=3)
    for _ in range(3):
        crash(rollcall)
    rollcall.advance(1)
    sent = (NotificationState.SENT, None)
    assert reasons(rollcall) == [(NotificationState.DEAD, "crashed its worker 3 times"), sent, sent]
    assert [message.to for message in rollcall.mailer.sent] == [
        "student1@example.edu",
        "student2@example.edu",
    ]


def test_a_batch_that_killed_three_workers_while_it_was_sent_is_never_sent_blindly(rollcall: Harness) -> None:
    open_a_seat_while_mail_waits(rollcall, watchers=1)
    for _ in range(3):
        crash(rollcall, is_handed_over=True)
    rollcall.advance(1)
    reason = "crashed its worker 3 times: unknown whether it was sent"
    assert reasons(rollcall) == [(NotificationState.DEAD, reason)]
    assert rollcall.mailer.calls == 0


def test_two_crashes_of_a_batch_cost_it_nothing(rollcall: Harness) -> None:
    open_a_seat_while_mail_waits(rollcall, watchers=1)
    for _ in range(2):
        crash(rollcall, is_handed_over=True)
    rollcall.advance(1)
    assert reasons(rollcall) == [(NotificationState.SENT, None)]


def test_failures_that_no_one_foresaw_are_no_crashes(rollcall: Harness) -> None:
    rollcall.mailer.errors.extend([RuntimeError("unforeseen")] * 6)
    open_a_seat_while_mail_waits(rollcall, watchers=1)
    for _ in range(6):
        rollcall.services.publish(deliver.message())
        with pytest.raises(RuntimeError):
            rollcall.process_messages()
        rollcall.clock.advance(120)
    rollcall.advance(1)
    assert reasons(rollcall) == [(NotificationState.SENT, None)]


def mail_is_paused(rollcall: Harness) -> None:
    now = rollcall.clock.now()
    rollcall.services.store.pauses.pause("mail", now + timedelta(minutes=25), "works", "operator", now)


def the_breaker_is_open(rollcall: Harness) -> None:
    rollcall.services.breakers["mail"].force_open("test")


def the_provider_is_busy(rollcall: Harness) -> None:
    rollcall.mailer.errors.append(RateLimitedError("later", retry_after_seconds=1500))


def the_provider_is_away(rollcall: Harness) -> None:
    rollcall.mailer.errors.extend([UnreachableError("refused")] * 5)


WAYS_TO_WAIT = (mail_is_paused, the_breaker_is_open, the_provider_is_busy, the_provider_is_away)


def wait_with_an_opening(rollcall: Harness, hinder: Callable[[Harness], None], seen_last: int) -> None:
    """A seat opens, its letter has to wait for 25 minutes, and `seen_last` are open by then."""
    rollcall.watch()
    row = rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    rollcall.clock.advance(60)
    hinder(rollcall)
    for row.open_seats in (2, seen_last):
        rollcall.run()
        rollcall.clock.advance(1500)
    rollcall.services.breakers["mail"].reset("test")
    rollcall.mailer.errors.clear()
    rollcall.advance(301)


@pytest.mark.parametrize("hinder", WAYS_TO_WAIT)
def test_an_opening_that_ended_while_its_mail_waited_is_not_notified(
    rollcall: Harness, hinder: Callable[[Harness], None]
) -> None:
    wait_with_an_opening(rollcall, hinder, seen_last=0)
    assert reasons(rollcall) == [(NotificationState.SUPPRESSED, GONE_AGAIN)]
    assert rollcall.mailer.sent == []


@pytest.mark.parametrize("hinder", WAYS_TO_WAIT)
def test_an_opening_that_lasted_is_notified_with_the_age_of_what_was_seen(
    rollcall: Harness, hinder: Callable[[Harness], None]
) -> None:
    wait_with_an_opening(rollcall, hinder, seen_last=2)
    (message,) = rollcall.mailer.sent
    assert "15 Jan 2026, 09:01 UTC (55 minutes before this mail was written)" in " ".join(
        message.text.split()
    )


def test_an_opening_that_ended_while_its_sender_was_dead_is_not_notified(rollcall: Harness) -> None:
    open_a_seat_while_mail_waits(rollcall, watchers=1)
    crash(rollcall)
    rollcall.catalog.rows[rollcall.key()].open_seats = 0
    rollcall.run()
    rollcall.advance(1)
    assert reasons(rollcall) == [(NotificationState.SUPPRESSED, GONE_AGAIN)]
