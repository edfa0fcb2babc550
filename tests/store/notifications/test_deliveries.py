from __future__ import annotations

from typing import Any

import pytest

from domain.notification import Accepted, NotificationState
from store.notifications.deliveries import StoredNotification
from store.notifications.outbox import MailBatch
from tests.store.desk import ADA, GRACE, Desk
from tests.store.rivals import together


def _sent(desk: Desk) -> StoredNotification:
    desk.watch()
    desk.show(0, 1)
    desk.send()
    (stored,) = desk.notifications()
    return stored


def _record(
    desk: Desk, kind: str, *, event: str | None = None, address: str | None = ADA, reason: str = ""
) -> bool:
    provider_id = next((stored.provider_id for stored in desk.notifications()), None)
    return desk.deliveries.record(
        event or f"event of {kind}",
        kind,
        provider_id=provider_id,
        address=address,
        reason=reason,
        now=desk.clock.now(),
    )


def _state(desk: Desk) -> NotificationState:
    (stored,) = desk.notifications()
    return stored.state


def test_a_delivery_records_the_notification_and_suppresses_no_one(desk: Desk) -> None:
    _sent(desk)
    now = desk.clock.advance(3)
    assert _record(desk, "delivered")
    (stored,) = desk.notifications()
    assert (stored.state, stored.completed_at, stored.reason) == (NotificationState.DELIVERED, now, None)
    assert desk.deliveries.suppression(ADA) is None


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_a_bounce_or_complaint_records_the_notification_and_suppresses_the_address(
    desk: Desk, kind: str
) -> None:
    _sent(desk)
    assert _record(desk, kind, reason="mailbox full")
    assert _state(desk).value == kind
    assert desk.notifications()[0].reason == "mailbox full"
    assert desk.deliveries.suppression(ADA) == "mailbox full"


def test_a_suppression_without_a_reason_names_its_kind(desk: Desk) -> None:
    _sent(desk)
    _record(desk, "bounced")
    assert desk.deliveries.suppression(ADA) == "bounced"


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
    desk: Desk, kind: str, state: NotificationState, reason: str | None
) -> None:
    _sent(desk)
    _record(desk, kind, reason="broken")
    (stored,) = desk.notifications()
    assert (stored.state, stored.reason) == (state, reason)
    assert (desk.deliveries.suppression(ADA) is not None) == (kind == "suppressed")


@pytest.mark.parametrize("kind", ["failed", "suppressed"])
def test_what_was_lost_after_its_acceptance_is_a_loss_to_the_operator(desk: Desk, kind: str) -> None:
    _sent(desk)
    since = desk.clock.now()
    desk.clock.advance(60)
    _record(desk, kind)
    assert desk.outbox.losses(since).notifications == 1


def test_what_the_provider_did_not_send_for_the_accounts_sake_is_sent_again(desk: Desk) -> None:
    first = _sent(desk)
    _record(desk, "unsent", reason="reached_daily_quota")
    (waiting,) = desk.notifications()
    assert (waiting.state, waiting.sent_at) == (NotificationState.PENDING, None)
    assert desk.claim() is None
    desk.clock.advance(61)
    batch = desk.claim()
    assert batch is not None
    assert [notification.id for notification in batch.notifications] == [first.notification.id]


def test_an_event_that_comes_again_changes_nothing(desk: Desk) -> None:
    _sent(desk)
    assert _record(desk, "bounced", event="evt-1")
    desk.deliveries.lift(ADA)
    before = desk.dump()
    assert not _record(desk, "bounced", event="evt-1")
    assert desk.dump() == before


def test_concurrent_callers_record_the_same_event_once(desk: Desk) -> None:
    _sent(desk)
    recorded = together(*[lambda: _record(desk, "complained", event="evt-1")] * 5)
    assert sorted(recorded) == [False] * 4 + [True]
    assert desk.deliveries.suppression(ADA) == "complained"


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_a_late_delivery_does_not_hide_what_came_after_it(desk: Desk, kind: str) -> None:
    _sent(desk)
    _record(desk, kind)
    _record(desk, "delivered")
    assert _state(desk).value == kind


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_what_comes_after_a_delivery_is_kept(desk: Desk, kind: str) -> None:
    _sent(desk)
    _record(desk, "delivered")
    _record(desk, kind)
    assert _state(desk).value == kind


def _sent_with(desk: Desk, batch: MailBatch) -> StoredNotification:
    receipts = [Accepted(f"mail-{notification.id}") for notification in batch.notifications]
    desk.outbox.complete(batch, receipts, desk.clock.advance(3))
    return desk.notifications()[0]


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
    desk: Desk, kinds: list[str], state: NotificationState
) -> None:
    desk.watch()
    desk.show(0, 1)
    batch = desk.attempted()
    early: dict[str, Any] = {
        "provider_id": f"mail-{batch.notifications[0].id}",
        "address": None,
        "reason": "said so",
    }
    for kind in kinds:
        assert desk.deliveries.record(f"evt-{kind}", kind, **early, now=desk.clock.advance(1))
    assert _state(desk) is NotificationState.SENDING
    sent_at = desk.clock.now()
    stored = _sent_with(desk, batch)
    assert (stored.state, stored.sent_at) == (state, desk.clock.now())
    if state is not NotificationState.SENT:
        assert stored.reason == "said so"
        assert stored.completed_at is not None
        assert stored.completed_at <= sent_at


def test_concurrent_callers_that_record_a_message_and_report_the_result_of_it_both_count(desk: Desk) -> None:
    desk.watch()
    for _ in range(5):
        desk.show(0, 1)
        batch = desk.attempted()
        provider_id = f"mail-{batch.notifications[0].id}"
        together(
            lambda: _sent_with(desk, batch),  # noqa: B023
            lambda: desk.deliveries.record(
                provider_id,  # noqa: B023
                "delivered",
                provider_id=provider_id,  # noqa: B023
                address=None,
                reason="",
                now=desk.clock.now(),
            ),
        )
    assert {stored.state for stored in desk.notifications()} == {NotificationState.DELIVERED}


def test_an_event_of_another_message_touches_no_notification(desk: Desk) -> None:
    _sent(desk)
    arguments = {"provider_id": "somebody-else", "address": GRACE, "reason": ""}
    assert desk.deliveries.record("evt-1", "bounced", **arguments, now=desk.clock.now())
    assert _state(desk) is NotificationState.SENT
    assert desk.deliveries.suppression(GRACE) == "bounced"


def test_an_event_without_address_or_message_is_only_recorded(desk: Desk) -> None:
    _sent(desk)
    nothing = {"provider_id": None, "address": None}
    assert desk.deliveries.record("evt-1", "bounced", **nothing, reason="", now=desk.clock.now())
    assert _state(desk) is NotificationState.SENT


def test_an_event_of_an_unknown_kind_is_only_recorded(desk: Desk) -> None:
    _sent(desk)
    assert _record(desk, "opened")
    assert _state(desk) is NotificationState.SENT
    assert desk.deliveries.suppression(ADA) is None


def test_a_first_suppression_keeps_its_reason(desk: Desk) -> None:
    _sent(desk)
    _record(desk, "bounced", event="1", reason="no such mailbox")
    _record(desk, "complained", event="2", reason="spam")
    assert desk.deliveries.suppression(ADA) == "no such mailbox"


def test_a_suppression_can_be_lifted_once_and_mail_leaves_again(desk: Desk) -> None:
    _sent(desk)
    _record(desk, "bounced")
    desk.show(0, 1)
    assert desk.send() == []
    assert desk.deliveries.lift(ADA)
    assert not desk.deliveries.lift(ADA)
    assert desk.deliveries.suppression(ADA) is None
    desk.show(0, 1)
    assert desk.send() == [ADA]


def test_pages_go_from_the_newest_to_the_oldest_without_gaps(desk: Desk) -> None:
    desk.watch()
    desk.show(*[0, 1] * 5)
    found, cursor = desk.deliveries.page(watch_id=None, state=None, before=None, limit=2)
    while cursor is not None:
        page, cursor = desk.deliveries.page(watch_id=None, state=None, before=cursor, limit=2)
        found += page
    assert [stored.notification.episode for stored in found] == [5, 4, 3, 2, 1]


def test_a_page_can_be_narrowed_to_a_watch_and_a_state(desk: Desk) -> None:
    ada, grace = desk.watch(), desk.watch(email=GRACE)
    desk.show(0, 1)
    desk.watches.end(ada.id, "unsubscribed", desk.clock.now())
    desk.send()
    (of_grace,), _ = desk.deliveries.page(watch_id=grace.id, state=None, before=None, limit=9)
    (suppressed,), _ = desk.deliveries.page(
        watch_id=None, state=NotificationState.SUPPRESSED, before=None, limit=9
    )
    assert (of_grace.notification.email, suppressed.notification.email) == (GRACE, ADA)
    none, cursor = desk.deliveries.page(watch_id=ada.id, state=NotificationState.SENT, before=None, limit=9)
    assert (none, cursor) == ([], None)
