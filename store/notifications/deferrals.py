"""Reschedules one message with its own back-off, until it is accepted or dead."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from domain.notification import NotificationState
from domain.retry import ITEM_BACKOFF, MAX_DEFERRALS
from store.database import to_ms
from store.schema import notifications

_NEVER_SENT: dict[str, Any] = {"mail_batch_id": None, "provider_id": None, "sent_at_ms": None}


def defer(
    connection: Connection,
    these: ColumnElement[bool],
    reason: str,
    now: datetime,
    wait: timedelta = timedelta(0),
) -> None:
    """Reschedule the notifications that `these` selects by at least `wait`; they die after `MAX_DEFERRALS`.

    A deferred notification is sent alone from then on, under its own key.
    """
    columns = notifications.c
    for row in connection.execute(select(columns.id, columns.deferrals).where(these)).all():
        values = _rescheduled(row.deferrals, reason, now, wait)
        connection.execute(update(notifications).where(columns.id == row.id).values(values))


def _rescheduled(before: int, reason: str, now: datetime, wait: timedelta) -> dict[str, Any]:
    values = _NEVER_SENT | {"deferrals": before + 1}
    if before + 1 >= MAX_DEFERRALS:
        final_reason = f"deferred {before + 1} times: {reason}"
        return values | {
            "state": NotificationState.DEAD,
            "reason": final_reason,
            "completed_at_ms": to_ms(now),
        }
    due_at = now + max(ITEM_BACKOFF.wait(before), wait)
    return values | {
        "state": NotificationState.PENDING,
        "reason": reason,
        "due_at_ms": to_ms(due_at),
        "completed_at_ms": None,
    }
