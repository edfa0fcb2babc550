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
from tests.store.harness import ADA, ALAN, GRACE, LEASE, StoreHarness, message
from tests.store.rivals import together

EVERYBODY = [f"student-{number}@example.edu" for number in range(20)]


def _notify(store: StoreHarness, *emails: str) -> None:
    for email in emails:
        store.watch(email=email)
    store.show(0, 1)


def _suppress(store: StoreHarness, email: str) -> None:
    store.deliveries.record(
        f"bounce of {email}", "bounced", provider_id=None, address=email, reason="", now=store.clock.now()
    )


def _batch_states(store: StoreHarness) -> list[str]:
    with store.database.read() as connection:
        return list(connection.execute(select(mail_batches.c.state).order_by(mail_batches.c.id)).scalars())


def test_an_empty_outbox_has_nothing_to_claim(store: StoreHarness) -> None:
    assert not store.outbox.is_due(store.clock.now())
    assert store.claim() is None
    assert store.outbox.backlog() == Backlog(0, None, 0)
    assert set(store.outbox.counts().values()) == {0}


def test_a_claim_takes_the_oldest_up_to_its_limit(store: StoreHarness) -> None:
    _notify(store, ADA, GRACE, ALAN)
    assert store.outbox.is_due(store.clock.now())
    first, second = store.claimed(2), store.claimed(2)
    assert [notification.email for notification in first.notifications] == [ADA, GRACE]
    assert [notification.email for notification in second.notifications] == [ALAN]
    assert first.key != second.key
    assert (first.messages, first.attempts, first.first_attempt_at) == (None, 0, None)
    assert store.claim() is None
    assert not store.outbox.is_due(store.clock.now())


def test_what_is_not_due_stays(store: StoreHarness) -> None:
    _notify(store, ADA)
    assert store.outbox.claim(store.clock.now() - timedelta(seconds=1), limit=10, lease=LEASE) is None


def test_a_batch_that_was_handed_over_comes_back_after_its_lease_with_key_and_messages(
    store: StoreHarness,
) -> None:
    _notify(store, ADA, GRACE)
    batch = store.attempted()
    attempted_at = store.clock.now()
    assert store.outbox.claim(attempted_at + LEASE - timedelta(seconds=1), limit=9, lease=LEASE) is None
    store.clock.advance(LEASE.total_seconds())
    assert store.outbox.is_due(store.clock.now())
    again = store.claimed()
    assert (again.id, again.key, again.notifications) == (batch.id, batch.key, batch.notifications)
    assert again.messages == [message(ADA), message(GRACE)]
    assert (again.attempts, again.first_attempt_at) == (1, attempted_at)
    assert store.claim() is None


def test_a_claim_lasts_for_as_long_as_it_is_renewed(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch = store.attempted()
    for _ in range(5):
        store.clock.advance(LEASE.total_seconds() - 1)
        assert store.outbox.renew(batch, store.clock.now(), lease=LEASE)
        assert store.claim() is None
    store.clock.advance(LEASE.total_seconds())
    assert store.claimed().id == batch.id


def test_a_claim_that_is_lost_or_over_is_not_renewed(store: StoreHarness) -> None:
    _notify(store, ADA)
    first = store.attempted()
    store.clock.advance(LEASE.total_seconds())
    second = store.claimed()
    assert not store.outbox.renew(first, store.clock.now(), lease=LEASE)
    store.outbox.complete(second, [Accepted("1")], store.clock.now())
    assert not store.outbox.renew(second, store.clock.now(), lease=LEASE)


def test_a_batch_that_was_never_handed_over_goes_back_to_the_outbox(store: StoreHarness) -> None:
    ada = store.watch(email=ADA)
    _notify(store, GRACE)
    batch = store.claimed()
    store.outbox.freeze(batch, [message(ADA), message(GRACE)])
    store.watches.end(ada.id, "unsubscribed", store.clock.now())
    store.clock.advance(LEASE.total_seconds())
    again = store.claimed()
    assert again.key != batch.key
    assert again.messages is None
    assert [notification.email for notification in again.notifications] == [GRACE]


def test_a_sender_that_was_held_up_until_its_messages_went_back_must_not_hand_them_over(
    store: StoreHarness,
) -> None:
    _notify(store, ADA)
    late = store.claimed()
    store.outbox.freeze(late, [message()])
    store.clock.advance(LEASE.total_seconds())
    assert store.send() == [ADA]
    with pytest.raises(LostBatchError):
        store.outbox.hand_over(late, store.clock.now(), lease=LEASE)
    with pytest.raises(LostBatchError):
        store.outbox.complete(late, [Rejected("too late")], store.clock.now())
    assert store.states() == [(1, NotificationState.SENT)]


def test_a_late_sender_does_not_meet_the_batch_that_followed_its_own(store: StoreHarness) -> None:
    _notify(store, ADA)
    late = store.claimed()
    store.outbox.freeze(late, [message()])
    store.clock.advance(LEASE.total_seconds())
    following = store.claimed()
    assert following.id != late.id
    with pytest.raises(LostBatchError):
        store.outbox.hand_over(late, store.clock.now(), lease=LEASE)


def test_a_recorded_batch_must_not_be_handed_over_again(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch = store.attempted()
    store.outbox.complete(batch, [Accepted("mail-1")], store.clock.now())
    with pytest.raises(LostBatchError):
        store.outbox.hand_over(batch, store.clock.now(), lease=LEASE)


def test_a_sender_that_was_paused_past_its_lease_stops_though_no_other_came(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch = store.claimed()
    store.outbox.freeze(batch, [message()])
    with pytest.raises(LostBatchError):
        store.outbox.hand_over(batch, store.clock.advance(LEASE.total_seconds()), lease=LEASE)


def test_the_hand_over_renews_the_claim(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch = store.claimed()
    store.outbox.freeze(batch, [message()])
    store.clock.advance(LEASE.total_seconds() - 1)
    store.outbox.hand_over(batch, store.clock.now(), lease=LEASE)
    store.clock.advance(LEASE.total_seconds() - 1)
    assert store.claim() is None
    store.clock.advance(1)
    assert store.claimed().id == batch.id


def test_a_hand_over_that_is_noted_twice_counts_once(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch = store.attempted()
    store.outbox.hand_over(batch, store.clock.now(), lease=LEASE)
    store.clock.advance(LEASE.total_seconds())
    assert store.claimed().attempts == 1


def _freeze(store: StoreHarness, batch: MailBatch) -> None:
    store.outbox.freeze(batch, [message()])


def _hand_over(store: StoreHarness, batch: MailBatch) -> None:
    store.outbox.hand_over(batch, store.clock.now(), lease=LEASE)


def _refuse(store: StoreHarness, batch: MailBatch) -> None:
    store.outbox.complete(batch, [Rejected("no such mailbox")], store.clock.now())


def _postpone(store: StoreHarness, batch: MailBatch) -> None:
    store.outbox.postpone(batch, store.clock.now(), "503")


def _hold(store: StoreHarness, batch: MailBatch) -> None:
    store.outbox.postpone_unsent(batch, store.clock.now(), "429")


def _bury(store: StoreHarness, batch: MailBatch) -> None:
    store.outbox.mark_dead(batch, BatchState.REFUSED, "no", store.clock.now())


def _drop(store: StoreHarness, batch: MailBatch) -> None:
    store.outbox.remove(batch, batch.notifications[0].id, "cannot be rendered", store.clock.now())


@pytest.mark.parametrize("write", [_freeze, _hand_over, _refuse, _postpone, _hold, _bury, _drop])
def test_a_sender_whose_claim_has_passed_to_another_writes_nothing(
    store: StoreHarness, write: Callable[[StoreHarness, MailBatch], None]
) -> None:
    _notify(store, ADA)
    late = store.attempted()
    store.clock.advance(LEASE.total_seconds())
    assert store.claimed().fence == late.fence + 1
    before = store.dump()
    with pytest.raises(LostBatchError):
        write(store, late)
    assert store.dump() == before


def test_an_acceptance_is_written_though_the_claim_has_passed_to_another(store: StoreHarness) -> None:
    _notify(store, ADA)
    late = store.attempted()
    store.clock.advance(LEASE.total_seconds())
    following = store.claimed()
    store.outbox.complete(late, [Accepted("mail-1")], store.clock.now())
    assert store.states() == [(1, NotificationState.SENT)]
    with pytest.raises(LostBatchError):
        store.outbox.hand_over(following, store.clock.now(), lease=LEASE)


def test_an_acceptance_that_arrives_late_ends_the_anomaly(store: StoreHarness) -> None:
    _notify(store, ADA)
    late = store.attempted()
    store.clock.advance(LEASE.total_seconds())
    store.outbox.mark_dead(store.claimed(), BatchState.UNKNOWN, "the outcome is unknown", store.clock.now())
    store.outbox.complete(late, [Accepted("mail-1")], store.clock.now())
    (stored,) = store.notifications()
    assert (stored.state, stored.reason, stored.completed_at) == (NotificationState.SENT, None, None)
    assert _batch_states(store) == [BatchState.DONE]


def test_messages_that_were_handed_over_stay_as_they_are(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch = store.attempted()
    with pytest.raises(LostBatchError):
        store.outbox.freeze(batch, [message(subject="Other words")])
    store.clock.advance(LEASE.total_seconds())
    assert store.claimed().messages == [message()]


def test_the_first_attempt_is_remembered_and_every_one_counted(store: StoreHarness) -> None:
    _notify(store, ADA)
    store.attempted()
    first = store.clock.now()
    store.clock.advance(LEASE.total_seconds())
    store.outbox.hand_over(store.claimed(), store.clock.now(), lease=LEASE)
    store.clock.advance(LEASE.total_seconds())
    again = store.claimed()
    assert (again.attempts, again.first_attempt_at) == (2, first)


def test_each_message_is_recorded_with_its_own_receipt(store: StoreHarness) -> None:
    _notify(store, ADA, GRACE)
    batch = store.attempted()
    now = store.clock.advance(1)
    store.outbox.complete(batch, [Accepted("mail-1"), Rejected("no such mailbox")], now)
    sent, refused = store.notifications()
    assert (sent.state, sent.provider_id, sent.sent_at) == (NotificationState.SENT, "mail-1", now)
    assert (refused.state, refused.reason) == (NotificationState.DEAD, "no such mailbox")
    assert refused.completed_at == now
    assert _batch_states(store) == [BatchState.DONE]


def test_a_batch_is_recorded_once(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch = store.attempted()
    store.outbox.complete(batch, [Accepted("mail-1")], store.clock.now())
    before = store.dump()
    now = store.clock.advance(1)
    store.outbox.complete(batch, [Accepted("again")], now)
    store.outbox.complete(batch, [Rejected("again")], now)
    _bury(store, batch)
    for write in (_postpone, _drop):
        with pytest.raises(LostBatchError):
            write(store, batch)
    assert store.dump() == before
    store.clock.advance(LEASE.total_seconds())
    assert store.claim() is None


def test_concurrent_callers_record_a_batch_once(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch, now = store.attempted(), store.clock.now()
    together(
        lambda: store.outbox.complete(batch, [Accepted("mail-1")], now),
        lambda: store.outbox.complete(batch, [Accepted("mail-1")], now),
        lambda: store.outbox.complete(batch, [Accepted("mail-1")], now),
    )
    assert store.outbox.counts()["sent"] == 1


def test_too_few_receipts_record_nothing(store: StoreHarness) -> None:
    _notify(store, ADA, GRACE)
    batch = store.attempted()
    before = store.dump()
    with pytest.raises(ValueError, match="zip"):
        store.outbox.complete(batch, [Accepted("mail-1")], store.clock.now())
    assert store.dump() == before


def test_a_postponed_batch_comes_back_at_its_time_with_the_reason(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch = store.attempted()
    store.outbox.postpone(batch, store.clock.now() + timedelta(seconds=40), "503")
    store.clock.advance(39)
    assert store.claim() is None
    store.clock.advance(1)
    again = store.claimed()
    assert (again.id, again.key, again.reason) == (batch.id, batch.key, "503")


@pytest.mark.parametrize("state", [BatchState.REFUSED, BatchState.UNKNOWN])
def test_a_buried_batch_is_dead_with_all_its_notifications(store: StoreHarness, state: BatchState) -> None:
    _notify(store, ADA, GRACE)
    store.outbox.mark_dead(store.attempted(), state, "the outcome is unknown", store.clock.now())
    assert {(stored.state, stored.reason) for stored in store.notifications()} == {
        (NotificationState.DEAD, "the outcome is unknown")
    }
    assert _batch_states(store) == [state]
    assert store.outbox.backlog() == Backlog(0, None, 2)
    store.clock.advance(LEASE.total_seconds())
    assert store.claim() is None


def test_a_dropped_notification_leaves_its_batch_and_the_others_stay(store: StoreHarness) -> None:
    _notify(store, ADA, GRACE)
    batch = store.claimed()
    store.outbox.remove(batch, batch.notifications[0].id, "cannot be rendered", store.clock.now())
    store.outbox.freeze(batch, [message(GRACE)])
    store.outbox.hand_over(batch, store.clock.now(), lease=LEASE)
    store.clock.advance(LEASE.total_seconds())
    again = store.claimed()
    assert [notification.email for notification in again.notifications] == [GRACE]
    assert again.messages == [message(GRACE)]
    assert [stored.state for stored in store.notifications()] == [
        NotificationState.DEAD,
        NotificationState.SENDING,
    ]


def test_who_opted_out_before_the_claim_gets_no_message(store: StoreHarness) -> None:
    ada = store.watch(email=ADA)
    _notify(store, GRACE)
    store.watches.end(ada.id, "unsubscribed", store.clock.now())
    assert store.send() == [GRACE]
    assert store.notifications()[0].reason == "the watch has ended (unsubscribed)"
    assert store.notifications()[0].state is NotificationState.SUPPRESSED


def test_who_bounced_before_the_claim_gets_no_message(store: StoreHarness) -> None:
    _notify(store, ADA, GRACE)
    _suppress(store, ADA)
    assert store.send() == [GRACE]
    assert store.notifications()[0].reason == "mail to the address is suppressed (bounced)"


def test_a_claim_looks_past_any_number_of_suppressed_notifications(store: StoreHarness) -> None:
    _notify(store, *EVERYBODY)
    for email in EVERYBODY[:-1]:
        _suppress(store, email)
    assert [notification.email for notification in store.claimed(2).notifications] == EVERYBODY[-1:]


def test_a_claim_that_finds_only_suppressed_notifications_is_empty(store: StoreHarness) -> None:
    _notify(store, ADA)
    _suppress(store, ADA)
    assert store.claim() is None
    assert not store.outbox.is_due(store.clock.now())
    assert store.outbox.counts()["suppressed"] == 1


def test_concurrent_claimers_never_share_a_notification(store: StoreHarness) -> None:
    _notify(store, *EVERYBODY)

    def collect() -> list[str]:
        found = []
        while batch := store.claim(limit=3):
            found += [notification.email for notification in batch.notifications]
        return found

    found = [email for share in together(*[collect] * 4) for email in share]
    # A claimer may pass over what a rival holds at that moment, and then find nothing: ask once more.
    assert sorted(found + collect()) == sorted(EVERYBODY)


def test_a_batch_that_comes_back_goes_to_one_claimer(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch = store.attempted()
    store.clock.advance(LEASE.total_seconds())
    claimed = together(*[store.claim] * 5)
    assert [each.id for each in claimed if each is not None] == [batch.id]


def test_concurrent_callers_put_an_abandoned_batch_back_once(store: StoreHarness) -> None:
    _notify(store, ADA, GRACE)
    store.claimed()
    store.clock.advance(LEASE.total_seconds())
    claimed = [batch for batch in [*together(*[store.claim] * 4), store.claim()] if batch is not None]
    assert sorted(notification.email for batch in claimed for notification in batch.notifications) == [
        ADA,
        GRACE,
    ]


def test_what_a_sender_died_with_leaves_alone(store: StoreHarness) -> None:
    _notify(store, ADA, GRACE)
    assert store.claimed().starts == 1
    store.watch("12432", ALAN)
    store.show(0, 1, number="12432")
    store.clock.advance(LEASE.total_seconds())
    claimed = [store.claimed() for _ in range(3)]
    emails = [[notification.email for notification in batch.notifications] for batch in claimed]
    assert emails == [[ADA], [GRACE], [ALAN]]
    assert [batch.starts for batch in claimed] == [2, 2, 1]


def test_a_batch_that_was_postponed_has_come_to_an_end(store: StoreHarness) -> None:
    _notify(store, ADA)
    store.attempted()
    for starts in (2, 3):
        store.clock.advance(LEASE.total_seconds())
        batch = store.claimed()
        assert batch.starts == starts
    store.outbox.postpone(batch, store.clock.now())
    assert store.claimed().starts == 1


def test_a_batch_that_was_postponed_before_it_was_handed_over_leaves_in_company(store: StoreHarness) -> None:
    _notify(store, ADA, GRACE)
    store.outbox.postpone(store.claimed(), store.clock.now())
    batch = store.claimed()
    assert ([notification.email for notification in batch.notifications], batch.starts) == ([ADA, GRACE], 1)


def test_the_backlog_counts_what_waits_and_what_is_under_way(store: StoreHarness) -> None:
    _notify(store, ADA, GRACE, ALAN)
    due_at = store.clock.now()
    store.claimed(1)
    assert store.outbox.backlog() == Backlog(3, due_at, 0)
    assert store.outbox.counts() | {"pending": 2, "sending": 1} == store.outbox.counts()
    store.send()
    assert store.outbox.backlog() == Backlog(1, due_at, 0)


def test_the_names_of_the_counts_are_those_of_the_states(store: StoreHarness) -> None:
    assert list(store.outbox.counts()) == [state.value for state in NotificationState]


def test_what_waits_when_its_watch_is_paused_is_withdrawn(store: StoreHarness) -> None:
    stored = store.watch()
    store.show(0, 1)
    store.watches.pause(stored.id, store.clock.now() + timedelta(hours=1))
    assert store.send() == []
    (notification,) = store.notifications()
    assert (notification.state, notification.reason) == (NotificationState.SUPPRESSED, "the watch is paused")


def _reasons(store: StoreHarness) -> list[str | None]:
    return [stored.reason for stored in store.notifications()]


def test_an_opening_that_ended_before_the_mail_left_is_withdrawn(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 2, 0)
    assert store.send() == []
    assert _reasons(store) == [GONE_AGAIN]


def test_of_two_openings_that_waited_the_newer_one_is_notified(store: StoreHarness) -> None:
    store.watch()
    store.show(0, 2, 0, 1)
    assert store.send() == [ADA]
    assert store.states() == [(1, NotificationState.SUPPRESSED), (2, NotificationState.SENT)]


def test_an_opening_that_was_withdrawn_comes_back_with_enough_seats(store: StoreHarness) -> None:
    store.watch(min_seats=2)
    store.show(0, 2, 1)
    assert store.send() == []
    store.show(3)
    assert store.send() == [ADA]
    assert store.notifications()[0].notification.open_seats == 3


def _teach(store: StoreHarness, *instructors: str) -> None:
    for instructor in instructors:
        store.clock.advance(1)
        store.check(store.observation(0, instructor))


def test_an_instructor_who_was_removed_before_the_mail_left_is_not_notified(store: StoreHarness) -> None:
    store.watch()
    _teach(store, UNASSIGNED, "Ada Lovelace", UNASSIGNED)
    assert store.send() == []
    assert _reasons(store) == [UNASSIGNED_AGAIN]
    _teach(store, "Ada Lovelace")
    assert store.send() == [ADA]


def test_a_message_names_the_instructor_who_followed(store: StoreHarness) -> None:
    store.watch()
    _teach(store, UNASSIGNED, "Ada Lovelace", "Grace Hopper")
    (notification,) = store.claimed().notifications
    assert (notification.instructor, notification.observed_at) == ("Grace Hopper", store.clock.now())


def test_an_instructor_who_came_back_before_the_mail_left_is_notified_once(store: StoreHarness) -> None:
    store.watch()
    _teach(store, UNASSIGNED, "Ada Lovelace", UNASSIGNED, "Ada Lovelace")
    assert store.send() == [ADA]
    assert store.states() == [(1, NotificationState.SENT)]


def test_what_was_frozen_and_not_handed_over_is_judged_again(store: StoreHarness) -> None:
    _notify(store, ADA)
    store.outbox.freeze(store.claimed(), [message()])
    store.show(0)
    store.clock.advance(LEASE.total_seconds())
    assert store.send() == []
    assert _reasons(store) == [GONE_AGAIN]


def test_what_the_transport_did_not_take_is_judged_again(store: StoreHarness) -> None:
    _notify(store, ADA)
    store.outbox.postpone_unsent(store.attempted(), store.clock.now() + timedelta(seconds=60), "429")
    store.show(0)
    store.clock.advance(60)
    assert store.send() == []
    assert _reasons(store) == [GONE_AGAIN]


def test_what_may_have_been_taken_is_repeated_whatever_is_known_by_then(store: StoreHarness) -> None:
    _notify(store, ADA)
    batch = store.attempted()
    store.show(0)
    store.clock.advance(LEASE.total_seconds())
    again = store.claimed()
    assert (again.id, again.key, again.messages) == (batch.id, batch.key, [message()])
