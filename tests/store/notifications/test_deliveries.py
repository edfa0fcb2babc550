from __future__ import annotations

from typing import Any

import pytest

from domain.notification import Accepted, NotificationState
from store.notifications.deliveries import StoredNotification
from store.notifications.outbox import MailBatch
from tests.store.harness import ADA, GRACE, StoreHarness
from tests.store.rivals import together


def _sent(store: StoreHarness) -> StoredNotification:
    store.watch()
    store.show(0, 1)
    store.send()
    (stored,) = store.notifications()
    return stored


def _record(
    store: StoreHarness, kind: str, *, event: str | None = None, address: str | None = ADA, reason: str = ""
) -> bool:
    provider_id = next((stored.provider_id for stored in store.notifications()), None)
    return store.deliveries.record(
        event or f"event of {kind}",
        kind,
        provider_id=provider_id,
        address=address,
        reason=reason,
        now=store.clock.now(),
    )


def _state(store: StoreHarness) -> NotificationState:
    (stored,) = store.notifications()
    return stored.state


def test_a_delivery_records_the_notification_and_suppresses_no_one(store: StoreHarness) -> None:
    _sent(store)
    now = store.clock.advance(3)
    assert _record(store, "delivered")
    (stored,) = store.notifications()
    assert (stored.state, stored.completed_at, stored.reason) == (NotificationState.DELIVERED, now, None)
    assert store.deliveries.suppression(ADA) is None


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_a_bounce_or_complaint_records_the_notification_and_suppresses_the_address(
    store: StoreHarness, kind: str
) -> None:
    _sent(store)
    assert _record(store, kind, reason="mailbox full")
    assert _state(store).value == kind
    assert store.notifications()[0].reason == "mailbox full"
    assert store.deliveries.suppression(ADA) == "mailbox full"


def test_a_suppression_without_a_reason_names_its_kind(store: StoreHarness) -> None:
    _sent(store)
    _record(store, "bounced")
    assert store.deliveries.suppression(ADA) == "bounced"


@pytest.mark.parametrize(
    ("kind", "state", "reason"),
    [
        ("failed", NotificationState.DEAD, "the provider failed to send it: broken"),
        ("suppressed", NotificationState.SUPPRESSED, "the provider sends nothing to the address: broken"),
        ("soft_bounced", NotificationState.BOUNCED, "broken"),
        ("delayed", NotificationState.SENT, None),
    ],
)
def test_what_the_provider_does_not_deliver_changes_the_state(
    store: StoreHarness, kind: str, state: NotificationState, reason: str | None
) -> None:
    _sent(store)
    _record(store, kind, reason="broken")
    (stored,) = store.notifications()
    assert (stored.state, stored.reason) == (state, reason)
    assert (store.deliveries.suppression(ADA) is not None) == (kind == "suppressed")


@pytest.mark.parametrize("kind", ["failed", "suppressed"])
def test_what_was_lost_after_its_acceptance_is_a_loss_to_the_operator(store: StoreHarness, kind: str) -> None:
    _sent(store)
    since = store.clock.now()
    store.clock.advance(60)
    _record(store, kind)
    assert store.outbox.losses(since).notifications == 1


def test_what_the_provider_did_not_send_for_the_accounts_sake_is_sent_again(store: StoreHarness) -> None:
    first = _sent(store)
    _record(store, "unsent", reason="reached_daily_quota")
    (waiting,) = store.notifications()
    assert (waiting.state, waiting.sent_at) == (NotificationState.PENDING, None)
    assert store.claim() is None
    store.clock.advance(61)
    batch = store.claim()
    assert batch is not None
    assert [notification.id for notification in batch.notifications] == [first.notification.id]


def test_an_event_that_comes_again_changes_nothing(store: StoreHarness) -> None:
    _sent(store)
    assert _record(store, "bounced", event="evt-1")
    store.deliveries.lift(ADA)
    before = store.dump()
    assert not _record(store, "bounced", event="evt-1")
    assert store.dump() == before


def test_concurrent_callers_record_the_same_event_once(store: StoreHarness) -> None:
    _sent(store)
    recorded = together(*[lambda: _record(store, "complained", event="evt-1")] * 5)
    assert sorted(recorded) == [False] * 4 + [True]
    assert store.deliveries.suppression(ADA) == "complained"


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_a_late_delivery_does_not_hide_what_came_after_it(store: StoreHarness, kind: str) -> None:
    _sent(store)
    _record(store, kind)
    _record(store, "delivered")
    assert _state(store).value == kind


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_what_comes_after_a_delivery_is_kept(store: StoreHarness, kind: str) -> None:
    _sent(store)
    _record(store, "delivered")
    _record(store, kind)
    assert _state(store).value == kind


def _sent_with(store: StoreHarness, batch: MailBatch) -> StoredNotification:
    receipts = [Accepted(f"mail-{notification.id}") for notification in batch.notifications]
    store.outbox.complete(batch, receipts, store.clock.advance(3))
    return store.notifications()[0]


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        (["delivered"], NotificationState.DELIVERED),
        (["bounced", "delivered"], NotificationState.BOUNCED),
        (["delivered", "complained"], NotificationState.COMPLAINED),
        (["opened"], NotificationState.SENT),
    ],
)
def test_what_came_before_the_message_was_known_to_have_left_records_it_then(
    store: StoreHarness, kinds: list[str], state: NotificationState
) -> None:
    store.watch()
    store.show(0, 1)
    batch = store.attempted()
    early: dict[str, Any] = {
        "provider_id": f"mail-{batch.notifications[0].id}",
        "address": None,
        "reason": "said so",
    }
    for kind in kinds:
        assert store.deliveries.record(f"evt-{kind}", kind, **early, now=store.clock.advance(1))
    assert _state(store) is NotificationState.SENDING
    sent_at = store.clock.now()
    stored = _sent_with(store, batch)
    assert (stored.state, stored.sent_at) == (state, store.clock.now())
    if state is not NotificationState.SENT:
        assert stored.reason == "said so"
        assert stored.completed_at is not None
        assert stored.completed_at <= sent_at


def test_concurrent_callers_that_record_a_message_and_report_the_result_of_it_both_count(
    store: StoreHarness,
) -> None:
    store.watch()
    for _ in range(5):
        store.show(0, 1)
        batch = store.attempted()
        provider_id = f"mail-{batch.notifications[0].id}"
        together(
            lambda: _sent_with(store, batch),  # noqa: B023
            lambda: store.deliveries.record(
                provider_id,  # noqa: B023
                "delivered",
                provider_id=provider_id,  # noqa: B023
                address=None,
                reason="",
                now=store.clock.now(),
            ),
        )
    assert {stored.state for stored in store.notifications()} == {NotificationState.DELIVERED}


def test_an_event_of_another_message_touches_no_notification(store: StoreHarness) -> None:
    _sent(store)
    arguments = {"provider_id": "somebody-else", "address": GRACE, "reason": ""}
    assert store.deliveries.record("evt-1", "bounced", **arguments, now=store.clock.now())
    assert _state(store) is NotificationState.SENT
    assert store.deliveries.suppression(GRACE) == "bounced"


def test_an_event_without_address_or_message_is_only_recorded(store: StoreHarness) -> None:
    _sent(store)
    nothing = {"provider_id": None, "address": None}
    assert store.deliveries.record("evt-1", "bounced", **nothing, reason="", now=store.clock.now())
    assert _state(store) is NotificationState.SENT


def test_an_event_of_an_unknown_kind_is_only_recorded(store: StoreHarness) -> None:
    _sent(store)
    assert _record(store, "opened")
    assert _state(store) is NotificationState.SENT
    assert store.deliveries.suppression(ADA) is None


def test_a_first_suppression_keeps_its_reason(store: StoreHarness) -> None:
    _sent(store)
    _record(store, "bounced", event="1", reason="no such mailbox")
    _record(store, "complained", event="2", reason="spam")
    assert store.deliveries.suppression(ADA) == "no such mailbox"


def test_a_suppression_can_be_lifted_once_and_mail_leaves_again(store: StoreHarness) -> None:
    _sent(store)
    _record(store, "bounced")
    store.show(0, 1)
    assert store.send() == []
    assert store.deliveries.lift(ADA)
    assert not store.deliveries.lift(ADA)
    assert store.deliveries.suppression(ADA) is None
    store.show(0, 1)
    assert store.send() == [ADA]


def test_pages_go_from_the_newest_to_the_oldest_without_gaps(store: StoreHarness) -> None:
    store.watch()
    store.show(*[0, 1] * 5)
    found, cursor = store.deliveries.page(watch_id=None, state=None, before=None, limit=2)
    while cursor is not None:
        page, cursor = store.deliveries.page(watch_id=None, state=None, before=cursor, limit=2)
        found += page
    assert [stored.notification.episode for stored in found] == [5, 4, 3, 2, 1]


def test_a_page_can_be_narrowed_to_a_watch_and_a_state(store: StoreHarness) -> None:
    ada, grace = store.watch(), store.watch(email=GRACE)
    store.show(0, 1)
    store.watches.end(ada.id, "unsubscribed", store.clock.now())
    store.send()
    (of_grace,), _ = store.deliveries.page(watch_id=grace.id, state=None, before=None, limit=9)
    (suppressed,), _ = store.deliveries.page(
        watch_id=None, state=NotificationState.SUPPRESSED, before=None, limit=9
    )
    assert (of_grace.notification.email, suppressed.notification.email) == (GRACE, ADA)
    none, cursor = store.deliveries.page(watch_id=ada.id, state=NotificationState.SENT, before=None, limit=9)
    assert (none, cursor) == ([], None)
