from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event

import pytest
from sqlalchemy.exc import OperationalError

from actors.deliver import deliver
from actors.mail_batch_sender import LEASE, Sending, longest_attempt
from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RollcallError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.notification import Accepted, DeliveryResult, NotificationState, OutboundMessage, Rejected
from domain.ports import unconditionally
from store.database import Database
from store.notifications.outbox import MailBatch, Outbox
from tests.actors.test_deliver import open_a_seat_while_mail_waits, reasons
from tests.support.harness import Harness
from tests.support.locked_database import LockedDatabase
from tests.support.mailer import FakeMailer

SENT = (NotificationState.SENT, None)


@dataclass
class Scripted(FakeMailer):
    """A transport without keys, whose server does `before` or `after` the hand-over what a test says."""

    is_idempotent: bool = False
    batch_size: int = 1
    before: Callable[[], None] = unconditionally
    after: Callable[[], None] = unconditionally
    asked: list[str] = field(default_factory=list)

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        def handing_over() -> None:
            self.before()
            before_handover()

        receipts = FakeMailer.send(self, messages, idempotency_key, handing_over)
        self.after()
        return receipts


class WatchedOutbox(Outbox):
    """Sets `renewed` after each renewal."""

    def __init__(self, database: Database, renewed: Event) -> None:
        super().__init__(database)
        self._renewed = renewed

    def renew(self, batch: MailBatch, now: datetime, *, lease: timedelta) -> bool:
        is_held = super().renew(batch, now, lease=lease)
        self._renewed.set()
        return is_held


def waiting(rollcall: Harness, post: FakeMailer, *, watchers: int = 1) -> Harness:
    """A harness whose letters wait, and leave through `post` from now on."""
    open_a_seat_while_mail_waits(rollcall, watchers=watchers)
    return replace(rollcall, services=replace(rollcall.services, mailer=post), mailer=post)


@pytest.fixture
def locked(rollcall: Harness) -> Iterator[LockedDatabase]:
    database = LockedDatabase(rollcall.database.url)
    yield database
    database.close()


def over(rollcall: Harness, database: LockedDatabase) -> Harness:
    """The harness whose outbox lies in `database`."""
    store = replace(rollcall.services.store, outbox=Outbox(database))
    return replace(rollcall, services=replace(rollcall.services, store=store))


def test_an_attempt_is_bounded_by_the_send_and_the_writes_beside_it() -> None:
    assert longest_attempt(FakeMailer(longest_send_seconds=280)) == timedelta(seconds=280 + 60)


@pytest.mark.parametrize("error", [UpstreamTimeoutError("no answer"), MalformedResponseError("hung up")])
def test_a_message_that_may_have_been_taken_is_never_repeated_without_a_key(
    rollcall: Harness, error: RollcallError
) -> None:
    here = waiting(rollcall, post := Scripted(accepts_despite_errors=True))
    post.errors.append(error)
    here.advance(1)
    here.advance(86_400)
    reason = f"unknown whether it was sent: {type(error).__name__}: {error}"
    assert reasons(here) == [(NotificationState.DEAD, reason)]
    assert len(post.sent) == 1


def test_a_sender_that_died_with_a_message_in_hand_leaves_it_unknown_without_a_key(rollcall: Harness) -> None:
    here = waiting(rollcall, post := Scripted())
    outbox, now = here.services.store.outbox, here.clock.now()
    batch = outbox.claim(now, limit=1, lease=LEASE)
    assert batch is not None
    outbox.freeze(
        batch, [here.services.render(notification, here.clock.now()) for notification in batch.notifications]
    )
    outbox.hand_over(batch, now, lease=LEASE)
    here.advance(30)
    assert reasons(here) == [
        (NotificationState.DEAD, "unknown whether it was sent: its sender died while it was handed over")
    ]
    assert post.sent == []


@pytest.mark.parametrize(
    "error",
    [UpstreamError("451"), RateLimitedError("later"), UnreachableError("no"), UnauthorisedError("535")],
)
def test_a_message_that_was_not_taken_is_tried_again_and_can_be_withdrawn(
    rollcall: Harness, error: RollcallError
) -> None:
    here = waiting(rollcall, post := Scripted(), watchers=2)
    post.errors.append(error)
    here.advance(1)
    here.services.store.watches.end(1, "deleted", here.clock.now())
    here.advance(901)
    assert [state for _, _, state in here.states()] == [NotificationState.SUPPRESSED, NotificationState.SENT]


def test_a_failure_before_the_hand_over_is_tried_again_without_a_key(rollcall: Harness) -> None:
    here = waiting(rollcall, post := Scripted())

    def hang_up() -> None:
        post.before = unconditionally
        raise MalformedResponseError("hung up after EHLO")

    post.before = hang_up
    here.advance(1)
    assert post.sent == []
    here.advance(6)
    assert (reasons(here), len(post.sent)) == ([SENT], 1)


def test_a_slow_sender_keeps_its_claim(rollcall: Harness) -> None:
    here = waiting(rollcall, post := Scripted())
    outbox = here.services.store.outbox
    renewed = Event()

    def take_longer_than_the_lease() -> None:
        for _ in range(4):
            here.clock.advance(LEASE.total_seconds() - 1)
            renewed.clear()
            assert renewed.wait(10)
            renewed.clear()
            assert renewed.wait(10)  # this one began after the clock moved
            deliver(here.services)

    post.after = take_longer_than_the_lease
    batch = outbox.claim(here.clock.now(), limit=1, lease=LEASE)
    assert batch is not None
    store = replace(here.services.store, outbox=WatchedOutbox(here.database, renewed))
    Sending(replace(here.services, store=store), batch, renew_seconds=0.01).deliver()
    assert (reasons(here), len(post.sent)) == ([SENT], 1)


def test_a_sender_that_is_paused_past_its_lease_stops_before_the_message(rollcall: Harness) -> None:
    """The other host takes the letter meanwhile, and sends it; then the first one wakes up."""
    here = waiting(rollcall, post := Scripted())

    def sleep_through_the_lease() -> None:
        post.before = unconditionally
        here.clock.advance(LEASE.total_seconds())
        deliver(here.services)

    post.before = sleep_through_the_lease
    here.advance(1)
    assert (reasons(here), len(post.sent)) == ([SENT], 1)


def test_a_sender_that_is_paused_with_a_message_in_hand_lets_no_other_repeat_it(rollcall: Harness) -> None:
    here = waiting(rollcall, post := Scripted())

    def sleep_through_the_lease() -> None:
        post.after = unconditionally
        here.clock.advance(LEASE.total_seconds())
        deliver(here.services)

    post.after = sleep_through_the_lease
    here.advance(1)
    assert (reasons(here), len(post.sent)) == ([SENT], 1)


def test_a_rate_limit_that_is_received_too_late_frees_nothing_of_the_sender_that_followed(
    rollcall: Harness,
) -> None:
    """The first sender may not dissolve the batch that the second has sent meanwhile under its key."""
    here = waiting(rollcall, post := FakeMailer())
    outbox = here.services.store.outbox
    first = outbox.claim(here.clock.now(), limit=100, lease=LEASE)
    assert first is not None
    outbox.freeze(
        first, [here.services.render(notification, here.clock.now()) for notification in first.notifications]
    )
    outbox.hand_over(first, here.clock.now(), lease=LEASE)
    here.clock.advance(LEASE.total_seconds())
    post.errors.append(UpstreamTimeoutError("no answer"))
    post.accepts_despite_errors = True
    deliver(here.services)
    with pytest.raises(RollcallError, match="has run out"):
        outbox.postpone_unsent(first, here.clock.now(), "429")
    here.advance(301)
    assert (reasons(here), len(post.sent), len(post.keys)) == ([SENT], 1, 1)


def test_what_was_accepted_is_written_once_the_database_answers(
    rollcall: Harness, locked: LockedDatabase
) -> None:
    here = over(waiting(rollcall, post := Scripted()), locked)

    def lock() -> None:
        locked.refusals = 5

    post.after = lock
    here.advance(1)
    assert (reasons(here), len(post.sent), locked.refusals) == ([SENT], 1, 0)


def test_a_receipt_whose_commit_was_not_received_is_written_once(
    rollcall: Harness, locked: LockedDatabase
) -> None:
    here = over(waiting(rollcall, post := Scripted()), locked)

    def lose() -> None:
        locked.lost = 1

    post.after = lose
    here.advance(1)
    assert (reasons(here), len(post.sent), locked.lost) == ([SENT], 1, 0)


def test_a_refusal_whose_commit_was_not_received_is_written_once(
    rollcall: Harness, locked: LockedDatabase
) -> None:
    here = over(waiting(rollcall, post := Scripted()), locked)
    post.keys = {}

    class Refusing(Scripted):
        def send(
            self,
            messages: Sequence[OutboundMessage],
            idempotency_key: str,
            before_handover: Callable[[], None] = unconditionally,
        ) -> list[DeliveryResult]:
            before_handover()
            locked.lost = 1
            return [Rejected("no such mailbox") for _ in messages]

    here = replace(here, services=replace(here.services, mailer=Refusing()))
    here.advance(1)
    assert reasons(here) == [(NotificationState.DEAD, "no such mailbox")]


def test_a_hand_over_that_cannot_be_noted_hands_nothing_over(
    rollcall: Harness, locked: LockedDatabase
) -> None:
    here = over(waiting(rollcall, post := Scripted()), locked)

    def lock() -> None:
        post.before = unconditionally
        locked.refusals = 3

    post.before = lock
    with pytest.raises(OperationalError):
        deliver(here.services)
    assert post.sent == []
    here.advance(6)
    assert (reasons(here), len(post.sent)) == ([SENT], 1)


def test_an_outage_that_outlasts_the_claim_is_reported_with_what_was_accepted(
    rollcall: Harness, locked: LockedDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    here = over(waiting(rollcall, post := Scripted()), locked)

    def lock() -> None:
        locked.refusals = 10_000

    post.after = lock
    with pytest.raises(OperationalError):
        deliver(here.services)
    (record,) = [each for each in caplog.records if each.message == "accepted, and not recorded"]
    (receipt,) = next(iter(post.keys.values()))
    assert isinstance(receipt, Accepted)
    assert record.__dict__["accepted"] == [receipt.provider_id]
