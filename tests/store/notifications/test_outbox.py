from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from domain.notification import Accepted, NotificationState, Rejected
from domain.notification_policy import GONE_AGAIN, UNASSIGNED_AGAIN
from domain.observation import UNASSIGNED
from store.notifications.batch_selection import BatchState
from store.notifications.outbox import Backlog, LostBatchError, MailBatch
from store.schema import mail_batches
from tests.store.desk import ADA, ALAN, GRACE, LEASE, Desk, message
from tests.store.rivals import together

EVERYBODY = [f"student-{number}@example.edu" for number in range(20)]


def _notify(desk: Desk, *emails: str) -> None:
    for email in emails:
        desk.watch(email=email)
    desk.show(0, 1)


def _suppress(desk: Desk, email: str) -> None:
    desk.deliveries.record(
        f"bounce of {email}", "bounced", provider_id=None, address=email, reason="", now=desk.clock.now()
    )


def _batch_states(desk: Desk) -> list[str]:
    with desk.database.read() as connection:
        return list(connection.execute(select(mail_batches.c.state).order_by(mail_batches.c.id)).scalars())


def test_an_empty_outbox_has_nothing_to_claim(desk: Desk) -> None:
    assert not desk.outbox.is_due(desk.clock.now())
    assert desk.claim() is None
    assert desk.outbox.backlog() == Backlog(0, None, 0)
    assert set(desk.outbox.counts().values()) == {0}


def test_a_claim_takes_the_oldest_up_to_its_limit(desk: Desk) -> None:
    _notify(desk, ADA, GRACE, ALAN)
    assert desk.outbox.is_due(desk.clock.now())
    first, second = desk.claimed(2), desk.claimed(2)
    assert [notification.email for notification in first.notifications] == [ADA, GRACE]
    assert [notification.email for notification in second.notifications] == [ALAN]
    assert first.key != second.key
    assert (first.messages, first.attempts, first.first_attempt_at) == (None, 0, None)
    assert desk.claim() is None
    assert not desk.outbox.is_due(desk.clock.now())


def test_what_is_not_due_stays(desk: Desk) -> None:
    _notify(desk, ADA)
    assert desk.outbox.claim(desk.clock.now() - timedelta(seconds=1), limit=10, lease=LEASE) is None


def test_a_batch_that_was_handed_over_comes_back_after_its_lease_with_key_and_messages(desk: Desk) -> None:
    _notify(desk, ADA, GRACE)
    batch = desk.attempted()
    attempted_at = desk.clock.now()
    assert desk.outbox.claim(attempted_at + LEASE - timedelta(seconds=1), limit=9, lease=LEASE) is None
    desk.clock.advance(LEASE.total_seconds())
    assert desk.outbox.is_due(desk.clock.now())
    again = desk.claimed()
    assert (again.id, again.key, again.notifications) == (batch.id, batch.key, batch.notifications)
    assert again.messages == [message(ADA), message(GRACE)]
    assert (again.attempts, again.first_attempt_at) == (1, attempted_at)
    assert desk.claim() is None


def test_a_claim_lasts_for_as_long_as_it_is_renewed(desk: Desk) -> None:
    _notify(desk, ADA)
    batch = desk.attempted()
    for _ in range(5):
        desk.clock.advance(LEASE.total_seconds() - 1)
        assert desk.outbox.renew(batch, desk.clock.now(), lease=LEASE)
        assert desk.claim() is None
    desk.clock.advance(LEASE.total_seconds())
    assert desk.claimed().id == batch.id


def test_a_claim_that_is_lost_or_over_is_not_renewed(desk: Desk) -> None:
    _notify(desk, ADA)
    first = desk.attempted()
    desk.clock.advance(LEASE.total_seconds())
    second = desk.claimed()
    assert not desk.outbox.renew(first, desk.clock.now(), lease=LEASE)
    desk.outbox.complete(second, [Accepted("1")], desk.clock.now())
    assert not desk.outbox.renew(second, desk.clock.now(), lease=LEASE)


def test_a_batch_that_was_never_handed_over_goes_back_to_the_outbox(desk: Desk) -> None:
    ada = desk.watch(email=ADA)
    _notify(desk, GRACE)
    batch = desk.claimed()
    desk.outbox.freeze(batch, [message(ADA), message(GRACE)])
    desk.watches.end(ada.id, "unsubscribed", desk.clock.now())
    desk.clock.advance(LEASE.total_seconds())
    again = desk.claimed()
    assert again.key != batch.key
    assert again.messages is None
    assert [notification.email for notification in again.notifications] == [GRACE]


def test_a_sender_that_was_held_up_until_its_messages_went_back_must_not_hand_them_over(desk: Desk) -> None:
    _notify(desk, ADA)
    late = desk.claimed()
    desk.outbox.freeze(late, [message()])
    desk.clock.advance(LEASE.total_seconds())
    assert desk.send() == [ADA]
    with pytest.raises(LostBatchError):
        desk.outbox.hand_over(late, desk.clock.now(), lease=LEASE)
    with pytest.raises(LostBatchError):
        desk.outbox.complete(late, [Rejected("too late")], desk.clock.now())
    assert desk.states() == [(1, NotificationState.SENT)]


def test_a_late_sender_does_not_meet_the_batch_that_followed_its_own(desk: Desk) -> None:
    _notify(desk, ADA)
    late = desk.claimed()
    desk.outbox.freeze(late, [message()])
    desk.clock.advance(LEASE.total_seconds())
    following = desk.claimed()
    assert following.id != late.id
    with pytest.raises(LostBatchError):
        desk.outbox.hand_over(late, desk.clock.now(), lease=LEASE)


def test_a_recorded_batch_must_not_be_handed_over_again(desk: Desk) -> None:
    _notify(desk, ADA)
    batch = desk.attempted()
    desk.outbox.complete(batch, [Accepted("mail-1")], desk.clock.now())
    with pytest.raises(LostBatchError):
        desk.outbox.hand_over(batch, desk.clock.now(), lease=LEASE)


def test_a_sender_that_was_paused_past_its_lease_stops_though_no_other_came(desk: Desk) -> None:
    _notify(desk, ADA)
    batch = desk.claimed()
    desk.outbox.freeze(batch, [message()])
    with pytest.raises(LostBatchError):
        desk.outbox.hand_over(batch, desk.clock.advance(LEASE.total_seconds()), lease=LEASE)


def test_the_hand_over_renews_the_claim(desk: Desk) -> None:
    _notify(desk, ADA)
    batch = desk.claimed()
    desk.outbox.freeze(batch, [message()])
    desk.clock.advance(LEASE.total_seconds() - 1)
    desk.outbox.hand_over(batch, desk.clock.now(), lease=LEASE)
    desk.clock.advance(LEASE.total_seconds() - 1)
    assert desk.claim() is None
    desk.clock.advance(1)
    assert desk.claimed().id == batch.id


def test_a_hand_over_that_is_noted_twice_counts_once(desk: Desk) -> None:
    _notify(desk, ADA)
    batch = desk.attempted()
    desk.outbox.hand_over(batch, desk.clock.now(), lease=LEASE)
    desk.clock.advance(LEASE.total_seconds())
    assert desk.claimed().attempts == 1


def _freeze(desk: Desk, batch: MailBatch) -> None:
    desk.outbox.freeze(batch, [message()])


def _hand_over(desk: Desk, batch: MailBatch) -> None:
    desk.outbox.hand_over(batch, desk.clock.now(), lease=LEASE)


def _refuse(desk: Desk, batch: MailBatch) -> None:
    desk.outbox.complete(batch, [Rejected("no such mailbox")], desk.clock.now())


def _postpone(desk: Desk, batch: MailBatch) -> None:
    desk.outbox.postpone(batch, desk.clock.now(), "503")


def _hold(desk: Desk, batch: MailBatch) -> None:
    desk.outbox.postpone_unsent(batch, desk.clock.now(), "429")


def _bury(desk: Desk, batch: MailBatch) -> None:
    desk.outbox.mark_dead(batch, BatchState.REFUSED, "no", desk.clock.now())


def _drop(desk: Desk, batch: MailBatch) -> None:
    desk.outbox.remove(batch, batch.notifications[0].id, "cannot be rendered", desk.clock.now())


@pytest.mark.parametrize("write", [_freeze, _hand_over, _refuse, _postpone, _hold, _bury, _drop])
def test_a_sender_whose_claim_has_passed_to_another_writes_nothing(
    desk: Desk, write: Callable[[Desk, MailBatch], None]
) -> None:
    _notify(desk, ADA)
    late = desk.attempted()
    desk.clock.advance(LEASE.total_seconds())
    assert desk.claimed().fence == late.fence + 1
    before = desk.dump()
    with pytest.raises(LostBatchError):
        write(desk, late)
    assert desk.dump() == before


def test_an_acceptance_is_written_though_the_claim_has_passed_to_another(desk: Desk) -> None:
    _notify(desk, ADA)
    late = desk.attempted()
    desk.clock.advance(LEASE.total_seconds())
    following = desk.claimed()
    desk.outbox.complete(late, [Accepted("mail-1")], desk.clock.now())
    assert desk.states() == [(1, NotificationState.SENT)]
    with pytest.raises(LostBatchError):
        desk.outbox.hand_over(following, desk.clock.now(), lease=LEASE)


def test_an_acceptance_that_arrives_late_ends_the_anomaly(desk: Desk) -> None:
    _notify(desk, ADA)
    late = desk.attempted()
    desk.clock.advance(LEASE.total_seconds())
    desk.outbox.mark_dead(desk.claimed(), BatchState.UNKNOWN, "nobody can say", desk.clock.now())
    desk.outbox.complete(late, [Accepted("mail-1")], desk.clock.now())
    (stored,) = desk.notifications()
    assert (stored.state, stored.reason, stored.completed_at) == (NotificationState.SENT, None, None)
    assert _batch_states(desk) == [BatchState.DONE]


def test_messages_that_were_handed_over_stay_as_they_are(desk: Desk) -> None:
    _notify(desk, ADA)
    batch = desk.attempted()
    with pytest.raises(LostBatchError):
        desk.outbox.freeze(batch, [message(subject="Other words")])
    desk.clock.advance(LEASE.total_seconds())
    assert desk.claimed().messages == [message()]


def test_the_first_attempt_is_remembered_and_every_one_counted(desk: Desk) -> None:
    _notify(desk, ADA)
    desk.attempted()
    first = desk.clock.now()
    desk.clock.advance(LEASE.total_seconds())
    desk.outbox.hand_over(desk.claimed(), desk.clock.now(), lease=LEASE)
    desk.clock.advance(LEASE.total_seconds())
    again = desk.claimed()
    assert (again.attempts, again.first_attempt_at) == (2, first)


def test_each_message_is_recorded_with_its_own_receipt(desk: Desk) -> None:
    _notify(desk, ADA, GRACE)
    batch = desk.attempted()
    now = desk.clock.advance(1)
    desk.outbox.complete(batch, [Accepted("mail-1"), Rejected("no such mailbox")], now)
    sent, refused = desk.notifications()
    assert (sent.state, sent.provider_id, sent.sent_at) == (NotificationState.SENT, "mail-1", now)
    assert (refused.state, refused.reason) == (NotificationState.DEAD, "no such mailbox")
    assert refused.completed_at == now
    assert _batch_states(desk) == [BatchState.DONE]


def test_a_batch_is_recorded_once(desk: Desk) -> None:
    _notify(desk, ADA)
    batch = desk.attempted()
    desk.outbox.complete(batch, [Accepted("mail-1")], desk.clock.now())
    before = desk.dump()
    now = desk.clock.advance(1)
    desk.outbox.complete(batch, [Accepted("again")], now)
    desk.outbox.complete(batch, [Rejected("again")], now)
    _bury(desk, batch)
    for write in (_postpone, _drop):
        with pytest.raises(LostBatchError):
            write(desk, batch)
    assert desk.dump() == before
    desk.clock.advance(LEASE.total_seconds())
    assert desk.claim() is None


def test_concurrent_callers_record_a_batch_once(desk: Desk) -> None:
    _notify(desk, ADA)
    batch, now = desk.attempted(), desk.clock.now()
    together(
        lambda: desk.outbox.complete(batch, [Accepted("mail-1")], now),
        lambda: desk.outbox.complete(batch, [Accepted("mail-1")], now),
        lambda: desk.outbox.complete(batch, [Accepted("mail-1")], now),
    )
    assert desk.outbox.counts()["sent"] == 1


def test_too_few_receipts_record_nothing(desk: Desk) -> None:
    _notify(desk, ADA, GRACE)
    batch = desk.attempted()
    before = desk.dump()
    with pytest.raises(ValueError, match="zip"):
        desk.outbox.complete(batch, [Accepted("mail-1")], desk.clock.now())
    assert desk.dump() == before


def test_a_postponed_batch_comes_back_at_its_time_with_the_reason(desk: Desk) -> None:
    _notify(desk, ADA)
    batch = desk.attempted()
    desk.outbox.postpone(batch, desk.clock.now() + timedelta(seconds=40), "503")
    desk.clock.advance(39)
    assert desk.claim() is None
    desk.clock.advance(1)
    again = desk.claimed()
    assert (again.id, again.key, again.reason) == (batch.id, batch.key, "503")


@pytest.mark.parametrize("state", [BatchState.REFUSED, BatchState.UNKNOWN])
def test_a_buried_batch_is_dead_with_all_its_notifications(desk: Desk, state: BatchState) -> None:
    _notify(desk, ADA, GRACE)
    desk.outbox.mark_dead(desk.attempted(), state, "nobody can say", desk.clock.now())
    assert {(stored.state, stored.reason) for stored in desk.notifications()} == {
        (NotificationState.DEAD, "nobody can say")
    }
    assert _batch_states(desk) == [state]
    assert desk.outbox.backlog() == Backlog(0, None, 2)
    desk.clock.advance(LEASE.total_seconds())
    assert desk.claim() is None


def test_a_dropped_notification_leaves_its_batch_and_the_others_stay(desk: Desk) -> None:
    _notify(desk, ADA, GRACE)
    batch = desk.claimed()
    desk.outbox.remove(batch, batch.notifications[0].id, "cannot be rendered", desk.clock.now())
    desk.outbox.freeze(batch, [message(GRACE)])
    desk.outbox.hand_over(batch, desk.clock.now(), lease=LEASE)
    desk.clock.advance(LEASE.total_seconds())
    again = desk.claimed()
    assert [notification.email for notification in again.notifications] == [GRACE]
    assert again.messages == [message(GRACE)]
    assert [stored.state for stored in desk.notifications()] == [
        NotificationState.DEAD,
        NotificationState.SENDING,
    ]


def test_who_opted_out_before_the_claim_gets_no_message(desk: Desk) -> None:
    ada = desk.watch(email=ADA)
    _notify(desk, GRACE)
    desk.watches.end(ada.id, "unsubscribed", desk.clock.now())
    assert desk.send() == [GRACE]
    assert desk.notifications()[0].reason == "the watch has ended (unsubscribed)"
    assert desk.notifications()[0].state is NotificationState.SUPPRESSED


def test_who_bounced_before_the_claim_gets_no_message(desk: Desk) -> None:
    _notify(desk, ADA, GRACE)
    _suppress(desk, ADA)
    assert desk.send() == [GRACE]
    assert desk.notifications()[0].reason == "mail to the address is suppressed (bounced)"


def test_a_claim_looks_past_any_number_of_suppressed_notifications(desk: Desk) -> None:
    _notify(desk, *EVERYBODY)
    for email in EVERYBODY[:-1]:
        _suppress(desk, email)
    assert [notification.email for notification in desk.claimed(2).notifications] == EVERYBODY[-1:]


def test_a_claim_that_finds_only_suppressed_notifications_is_empty(desk: Desk) -> None:
    _notify(desk, ADA)
    _suppress(desk, ADA)
    assert desk.claim() is None
    assert not desk.outbox.is_due(desk.clock.now())
    assert desk.outbox.counts()["suppressed"] == 1


def test_concurrent_claimers_never_share_a_notification(desk: Desk) -> None:
    _notify(desk, *EVERYBODY)

    def collect() -> list[str]:
        found = []
        while batch := desk.claim(limit=3):
            found += [notification.email for notification in batch.notifications]
        return found

    found = [email for share in together(*[collect] * 4) for email in share]
    # A claimer may pass over what a rival holds at that moment, and then find nothing: ask once more.
    assert sorted(found + collect()) == sorted(EVERYBODY)


def test_a_batch_that_comes_back_goes_to_one_claimer(desk: Desk) -> None:
    _notify(desk, ADA)
    batch = desk.attempted()
    desk.clock.advance(LEASE.total_seconds())
    claimed = together(*[desk.claim] * 5)
    assert [each.id for each in claimed if each is not None] == [batch.id]


def test_concurrent_callers_put_an_abandoned_batch_back_once(desk: Desk) -> None:
    _notify(desk, ADA, GRACE)
    desk.claimed()
    desk.clock.advance(LEASE.total_seconds())
    claimed = [batch for batch in [*together(*[desk.claim] * 4), desk.claim()] if batch is not None]
    assert sorted(notification.email for batch in claimed for notification in batch.notifications) == [
        ADA,
        GRACE,
    ]


def test_what_a_sender_died_with_leaves_alone(desk: Desk) -> None:
    _notify(desk, ADA, GRACE)
    assert desk.claimed().starts == 1
    desk.watch("12432", ALAN)
    desk.show(0, 1, number="12432")
    desk.clock.advance(LEASE.total_seconds())
    claimed = [desk.claimed() for _ in range(3)]
    emails = [[notification.email for notification in batch.notifications] for batch in claimed]
    assert emails == [[ADA], [GRACE], [ALAN]]
    assert [batch.starts for batch in claimed] == [2, 2, 1]


def test_a_batch_that_was_postponed_has_come_to_an_end(desk: Desk) -> None:
    _notify(desk, ADA)
    desk.attempted()
    for starts in (2, 3):
        desk.clock.advance(LEASE.total_seconds())
        batch = desk.claimed()
        assert batch.starts == starts
    desk.outbox.postpone(batch, desk.clock.now())
    assert desk.claimed().starts == 1


def test_a_batch_that_was_postponed_before_it_was_handed_over_leaves_in_company(desk: Desk) -> None:
    _notify(desk, ADA, GRACE)
    desk.outbox.postpone(desk.claimed(), desk.clock.now())
    batch = desk.claimed()
    assert ([notification.email for notification in batch.notifications], batch.starts) == ([ADA, GRACE], 1)


def test_the_backlog_counts_what_waits_and_what_is_under_way(desk: Desk) -> None:
    _notify(desk, ADA, GRACE, ALAN)
    due_at = desk.clock.now()
    desk.claimed(1)
    assert desk.outbox.backlog() == Backlog(3, due_at, 0)
    assert desk.outbox.counts() | {"pending": 2, "sending": 1} == desk.outbox.counts()
    desk.send()
    assert desk.outbox.backlog() == Backlog(1, due_at, 0)


def test_the_names_of_the_counts_are_those_of_the_states(desk: Desk) -> None:
    assert list(desk.outbox.counts()) == [state.value for state in NotificationState]


def test_what_waits_when_its_watch_is_paused_is_withdrawn(desk: Desk) -> None:
    stored = desk.watch()
    desk.show(0, 1)
    desk.watches.pause(stored.id, desk.clock.now() + timedelta(hours=1))
    assert desk.send() == []
    (notification,) = desk.notifications()
    assert (notification.state, notification.reason) == (NotificationState.SUPPRESSED, "the watch is paused")


def _reasons(desk: Desk) -> list[str | None]:
    return [stored.reason for stored in desk.notifications()]


def test_an_opening_that_ended_before_the_mail_left_is_withdrawn(desk: Desk) -> None:
    desk.watch()
    desk.show(0, 2, 0)
    assert desk.send() == []
    assert _reasons(desk) == [GONE_AGAIN]


def test_of_two_openings_that_waited_the_newer_one_is_notified(desk: Desk) -> None:
    desk.watch()
    desk.show(0, 2, 0, 1)
    assert desk.send() == [ADA]
    assert desk.states() == [(1, NotificationState.SUPPRESSED), (2, NotificationState.SENT)]


def test_an_opening_that_was_withdrawn_comes_back_with_enough_seats(desk: Desk) -> None:
    desk.watch(min_seats=2)
    desk.show(0, 2, 1)
    assert desk.send() == []
    desk.show(3)
    assert desk.send() == [ADA]
    assert desk.notifications()[0].notification.open_seats == 3


def _teach(desk: Desk, *instructors: str) -> None:
    for instructor in instructors:
        desk.clock.advance(1)
        desk.check(desk.seen(0, instructor))


def test_an_instructor_who_was_removed_before_the_mail_left_is_not_notified(desk: Desk) -> None:
    desk.watch()
    _teach(desk, UNASSIGNED, "Ada Lovelace", UNASSIGNED)
    assert desk.send() == []
    assert _reasons(desk) == [UNASSIGNED_AGAIN]
    _teach(desk, "Ada Lovelace")
    assert desk.send() == [ADA]


def test_a_message_names_the_instructor_who_followed(desk: Desk) -> None:
    desk.watch()
    _teach(desk, UNASSIGNED, "Ada Lovelace", "Grace Hopper")
    (notification,) = desk.claimed().notifications
    assert (notification.instructor, notification.observed_at) == ("Grace Hopper", desk.clock.now())


def test_an_instructor_who_came_back_before_the_mail_left_is_notified_once(desk: Desk) -> None:
    desk.watch()
    _teach(desk, UNASSIGNED, "Ada Lovelace", UNASSIGNED, "Ada Lovelace")
    assert desk.send() == [ADA]
    assert desk.states() == [(1, NotificationState.SENT)]


def test_what_was_frozen_and_not_handed_over_is_judged_again(desk: Desk) -> None:
    _notify(desk, ADA)
    desk.outbox.freeze(desk.claimed(), [message()])
    desk.show(0)
    desk.clock.advance(LEASE.total_seconds())
    assert desk.send() == []
    assert _reasons(desk) == [GONE_AGAIN]


def test_what_the_transport_did_not_take_is_judged_again(desk: Desk) -> None:
    _notify(desk, ADA)
    desk.outbox.postpone_unsent(desk.attempted(), desk.clock.now() + timedelta(seconds=60), "429")
    desk.show(0)
    desk.clock.advance(60)
    assert desk.send() == []
    assert _reasons(desk) == [GONE_AGAIN]


def test_what_may_have_been_taken_is_repeated_whatever_is_known_by_then(desk: Desk) -> None:
    _notify(desk, ADA)
    batch = desk.attempted()
    desk.show(0)
    desk.clock.advance(LEASE.total_seconds())
    again = desk.claimed()
    assert (again.id, again.key, again.messages) == (batch.id, batch.key, [message()])
