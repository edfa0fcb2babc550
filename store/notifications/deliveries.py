"""Deliveries: notification history, provider events and suppressions.

A provider may report on a message before or after its notification is known to be sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, select, update

from domain.notification import Notification, NotificationState
from store import audit
from store.audit import AuditEntry
from store.database import Database, from_ms, from_ms_or_none, insert_new, to_ms
from store.notifications.batch_selection import BatchState
from store.notifications.create import notification_of
from store.notifications.deferrals import defer
from store.refusals import refusals_of_all_mail
from store.schema import mail_batches, mail_events, notifications, sections, suppressions, watches

UNSENT = "unsent"
"""The event kind of a message that the provider accepted but did not send, because of the account."""

_STATES = {
    "delivered": NotificationState.DELIVERED,
    "bounced": NotificationState.BOUNCED,
    "soft_bounced": NotificationState.BOUNCED,
    "complained": NotificationState.COMPLAINED,
    "failed": NotificationState.DEAD,
    "suppressed": NotificationState.SUPPRESSED,
    UNSENT: NotificationState.PENDING,
}
_REASONS = {
    NotificationState.DEAD: "the provider failed to send it",
    NotificationState.SUPPRESSED: "the provider sends nothing to the address",
}
_AFTER_DELIVERY = {NotificationState.BOUNCED, NotificationState.COMPLAINED}


def apply(connection: Connection, event: dict[str, Any]) -> None:
    """Apply a row of `mail_events` to its notification if that is sent.

    Otherwise `apply_early` does later.
    """
    if event["kind"] in _STATES and event["provider_id"] is not None:
        # A concurrent transaction that records sent messages either sees this event or is seen here.
        sending = select(mail_batches.c.id).where(mail_batches.c.state == BatchState.SENDING)
        connection.execute(sending.with_for_update(read=True)).all()
        _apply_state(connection, event)


def apply_early(connection: Connection, provider_ids: Sequence[str]) -> None:
    """Apply, in order, the events that arrived before their messages were known to be sent."""
    columns = mail_events.c
    came = select(mail_events).where(columns.provider_id.in_(provider_ids), columns.kind.in_(_STATES))
    for event in connection.execute(came.order_by(columns.received_at_ms)).mappings().all():
        _apply_state(connection, dict(event))


def _apply_state(connection: Connection, event: dict[str, Any]) -> None:
    # Events may come in any order: a late "delivered" does not hide a bounce or a complaint.
    state, columns = _STATES[event["kind"]], notifications.c
    earlier = [NotificationState.SENDING, NotificationState.SENT]
    if state in _AFTER_DELIVERY:
        earlier.append(NotificationState.DELIVERED)
    is_meant = (columns.provider_id == event["provider_id"]) & columns.state.in_(earlier)
    if event["kind"] == UNSENT:
        defer(
            connection,
            is_meant,
            f"the provider did not send it: {event['reason']}",
            from_ms(event["received_at_ms"]),
        )
        return
    reason = event["reason"]
    if state in {NotificationState.DEAD, NotificationState.SUPPRESSED}:
        reason = f"{_REASONS[state]}: {reason or event['kind']}"
    values = {"state": state, "reason": reason, "completed_at_ms": event["received_at_ms"]}
    connection.execute(update(notifications).where(is_meant).values(values))


_SUPPRESSING = ("bounced", "complained", "suppressed")


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """A notification with its times from detection to delivery."""

    notification: Notification
    state: NotificationState
    reason: str | None
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    completed_at: datetime | None
    provider_id: str | None


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that receives no mail, the reason, and the start.

    Shape: `is_own` if the person stopped all mail; an operator cannot lift that.
    """

    email: str
    reason: str
    created_at: datetime
    is_own: bool = False


class Deliveries:
    """Reads notifications, and records the mail provider's reports about them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        *,
        watch_id: int | None,
        state: NotificationState | None,
        email: str | None = None,
        before: int | None,
        limit: int,
    ) -> tuple[list[StoredNotification], int | None]:
        """The notifications, newest first, and the next cursor."""
        columns = notifications.c
        query = select_notifications().order_by(columns.id.desc())
        wanted = {columns.watch_id: watch_id, columns.state: state, watches.c.email: email}
        for column, value in wanted.items():
            query = query if value is None else query.where(column == value)
        if before is not None:
            query = query.where(columns.id < before)
        return self._database.page(query, limit, "id", stored_notification)

    def get(self, notification_id: int) -> StoredNotification | None:
        """The notification, or None when there is no such notification."""
        with self._database.read() as connection:
            found = connection.execute(select_notifications().where(notifications.c.id == notification_id))
            row = found.mappings().first()
        return None if row is None else stored_notification(row)

    def record(
        self,
        event_id: str,
        kind: str,
        *,
        provider_id: str | None,
        address: str | None,
        reason: str,
        now: datetime,
    ) -> bool:
        """Record a provider's event once, with its effect; False when it was recorded before.

        A bounce, a complaint or the provider's own suppression suppresses the address. An
        event that arrives before its message is known to be sent is applied later.
        """
        with self._database.write() as connection:
            event = {
                "id": event_id,
                "kind": kind,
                "received_at_ms": to_ms(now),
                "provider_id": provider_id,
                "reason": reason or None,
            }
            if not insert_new(connection, mail_events, event):
                return False
            if kind in _SUPPRESSING and address is not None:
                suppression = {"email": address, "reason": reason or kind, "created_at_ms": to_ms(now)}
                insert_new(connection, suppressions, suppression)
            apply(connection, event)
        return True

    def suppression(self, email: str) -> str | None:
        """Why mail to `email` is suppressed, or None when it is not."""
        found = refusals_of_all_mail()
        query = select(found.c.reason).where(found.c.email == email)
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def suppressed(self, after: str | None, limit: int) -> tuple[list[Suppression], str | None]:
        """The suppressed addresses in their order, after the cursor `after`, and the next cursor."""
        refusals = refusals_of_all_mail()
        query = select(refusals).order_by(refusals.c.email)
        if after is not None:
            query = query.where(refusals.c.email > after)
        return self._database.page(query, limit, "email", _suppression)

    def lift(self, email: str, entry: AuditEntry | None = None) -> bool:
        """End a suppression reported by the provider; False without one. The person's opt-out remains."""
        lifted = delete(suppressions).where(suppressions.c.email == email)
        with self._database.write() as connection:
            was_held = connection.execute(lifted).rowcount > 0
            if was_held:
                audit.write(connection, entry)
        return was_held


def _suppression(row: RowMapping) -> Suppression:
    return Suppression(row["email"], row["reason"], from_ms(row["created_at_ms"]), bool(row["is_own"]))


def select_notifications() -> Select[Any]:
    """The rows that `stored_notification` reads."""
    columns = (watches.c.email, sections.c.source, sections.c.term, sections.c.number)
    return select(notifications, *columns).select_from(notifications.join(watches).join(sections))


def stored_notification(row: RowMapping) -> StoredNotification:
    """The notification in a row of `select_notifications`."""
    return StoredNotification(
        notification=notification_of(row),
        state=NotificationState(row["state"]),
        reason=row["reason"],
        created_at=from_ms(row["created_at_ms"]),
        due_at=from_ms(row["due_at_ms"]),
        sent_at=from_ms_or_none(row["sent_at_ms"]),
        completed_at=from_ms_or_none(row["completed_at_ms"]),
        provider_id=row["provider_id"],
    )
