"""What the mail provider reports of a letter, before or after its notification is known to have left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from domain.notification import NotificationState
from store.deferrals import defer
from store.departures import BatchState
from store.moments import from_ms
from store.schema import mail_batches, mail_events, notifications

UNSENT = "unsent"
"""The kind of event in which the provider did not send what it had accepted, for the account's sake."""

_STATES = {
    "delivered": NotificationState.DELIVERED,
    "bounced": NotificationState.BOUNCED,
    "soft_bounced": NotificationState.BOUNCED,
    "complained": NotificationState.COMPLAINED,
    "failed": NotificationState.DEAD,
    "suppressed": NotificationState.SUPPRESSED,
    UNSENT: NotificationState.PENDING,
}
_WORDS = {
    NotificationState.DEAD: "the provider failed to send it",
    NotificationState.SUPPRESSED: "the provider sends nothing to the address",
}
_AFTER_DELIVERY = {NotificationState.BOUNCED, NotificationState.COMPLAINED}


def apply(connection: Connection, event: dict[str, Any]) -> None:
    """Let a row of `mail_events` settle its notification, if that has left; else `apply_early` will."""
    if event["kind"] in _STATES and event["provider_id"] is not None:
        # Whoever writes at this moment which letters have left sees either this event, or is seen here.
        sending = select(mail_batches.c.id).where(mail_batches.c.state == BatchState.SENDING)
        connection.execute(sending.with_for_update(read=True)).all()
        _settle(connection, event)


def apply_early(connection: Connection, provider_ids: Sequence[str]) -> None:
    """Let the events that came before their letters were known to have left settle them, in their order."""
    columns = mail_events.c
    came = select(mail_events).where(columns.provider_id.in_(provider_ids), columns.kind.in_(_STATES))
    for event in connection.execute(came.order_by(columns.received_at_ms)).mappings().all():
        _settle(connection, dict(event))


def _settle(connection: Connection, event: dict[str, Any]) -> None:
    # Events may come in any order: a late "delivered" does not hide a bounce or a complaint.
    state, columns = _STATES[event["kind"]], notifications.c
    earlier = [NotificationState.SENDING, NotificationState.SENT]
    if state in _AFTER_DELIVERY:
        earlier.append(NotificationState.DELIVERED)
    its = (columns.provider_id == event["provider_id"]) & columns.state.in_(earlier)
    if event["kind"] == UNSENT:
        defer(
            connection,
            its,
            f"the provider did not send it: {event['reason']}",
            from_ms(event["received_at_ms"]),
        )
        return
    reason = event["reason"]
    if state in {NotificationState.DEAD, NotificationState.SUPPRESSED}:
        reason = f"{_WORDS[state]}: {reason or event['kind']}"
    values = {"state": state, "reason": reason, "settled_at_ms": event["received_at_ms"]}
    connection.execute(update(notifications).where(its).values(values))
