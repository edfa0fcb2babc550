"""Alerts, one row per alert rule, and the notifications that each channel still has to deliver.

    cleared --it fails for its `pending_for`--> raised --it is gone for a minute--> cleared

Each transition writes one alert notification per channel in the same transaction. Channels deliver them in
order. A recovery that no channel has attempted yet is withdrawn when its alert returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, exists, insert, select, update

from domain.alert import Alert, AlertMessage, AlertNotification, AlertState
from store.database import Database, from_ms, insert_new, to_ms
from store.schema import alert_notifications, alerts

_COPIED = ("state", "episode", "subject", "detail", "command", "since_ms")


def write(connection: Connection, alert: Mapping[str, Any], channels: Iterable[str], now_ms: int) -> None:
    """Write one notification per channel about the transition of `alert`."""
    row = {name: alert[name] for name in _COPIED} | {"alert": alert["name"], "at_ms": now_ms}
    for channel in channels:
        if alert["state"] == AlertState.CLEARED or not _withdraw_recovery(connection, alert["name"], channel):
            connection.execute(
                insert(alert_notifications).values(row | {"channel": channel, "due_at_ms": now_ms})
            )


def _is_held(notification: AlertNotification) -> ColumnElement[bool]:
    columns = alert_notifications.c
    is_ours = (columns.id == notification.id) & (columns.attempts == notification.attempts + 1)
    return is_ours & columns.sent_at_ms.is_(None)


def _is_next(now_ms: int) -> ColumnElement[bool]:
    columns, earlier = alert_notifications.c, alert_notifications.alias().c
    waits_for = exists().where(
        earlier.alert == columns.alert,
        earlier.channel == columns.channel,
        earlier.id < columns.id,
        earlier.sent_at_ms.is_(None),
    )
    return columns.sent_at_ms.is_(None) & (columns.due_at_ms <= now_ms) & ~waits_for


def _withdraw_recovery(connection: Connection, alert: str, channel: str) -> bool:
    columns = alert_notifications.c
    untried = columns.sent_at_ms.is_(None) & (columns.attempts == 0)
    recovery = (columns.alert == alert) & (columns.channel == channel) & (columns.state == AlertState.CLEARED)
    return connection.execute(delete(alert_notifications).where(recovery, untried)).rowcount > 0


def _notification(row: RowMapping) -> AlertNotification:
    alert = _alert(row["alert"], row)
    return AlertNotification(row["id"], alert, row["channel"], from_ms(row["at_ms"]), row["attempts"])


RECOVERY = timedelta(minutes=1)


class Alerts:
    """The rows of `alerts`, and the alert notifications of `channels`."""

    def __init__(self, database: Database, channels: Sequence[str] = ()) -> None:
        self._database = database
        self._channels = tuple(channels)

    def observe(self, messages: Mapping[str, AlertMessage | None], now: datetime) -> None:
        """Record which alert rules fail (their message) and which do not (None); others are unchanged."""
        with self._database.write() as connection:
            rows = _rows(connection, messages)
            for name, message in sorted(messages.items()):
                if name in rows:
                    self._record(connection, rows[name], message, to_ms(now))
                elif message is not None and insert_new(connection, alerts, _new_row(name, message, now)):
                    row = _rows(connection, [name])[name]
                    self._record(connection, row, message, to_ms(now))

    def claim(self, now: datetime, *, lease: timedelta) -> AlertNotification | None:
        """The next alert notification to deliver, claimed for `lease`, or None.

        One at a time, so that the lease covers a single delivery. A recovery is delivered after its alert.
        Its attempts are the fence of the claim.
        """
        query = select(alert_notifications).where(_is_next(to_ms(now))).order_by(alert_notifications.c.id)
        with self._database.write() as connection:
            found = connection.execute(query.limit(1).with_for_update(skip_locked=True))
            row = found.mappings().first()
            if row is None:
                return None
            values = {"due_at_ms": to_ms(now + lease), "attempts": row["attempts"] + 1}
            is_it = alert_notifications.c.id == row["id"]
            connection.execute(update(alert_notifications).where(is_it).values(values))
        return _notification(row)

    def is_due(self, now: datetime) -> bool:
        """Whether an alert notification is due."""
        query = select(alert_notifications.c.id).where(_is_next(to_ms(now))).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def mark_sent(self, notification: AlertNotification, now: datetime) -> None:
        """Mark it as delivered, unless its claim has passed on."""
        self._update(notification, sent_at_ms=to_ms(now), due_at_ms=None, reason=None)

    def postpone(self, notification: AlertNotification, due_at: datetime, reason: str) -> None:
        """Reschedule it to `due_at` because of `reason`, unless its claim has passed on."""
        self._update(notification, due_at_ms=to_ms(due_at), reason=reason)

    def all(self) -> list[Alert]:
        """Every alert that was ever raised, by name."""
        query = select(alerts).where(alerts.c.episode > 0).order_by(alerts.c.name)
        with self._database.read() as connection:
            return [_alert(row["name"], row) for row in connection.execute(query).mappings()]

    def _update(self, notification: AlertNotification, **values: object) -> None:
        with self._database.write() as connection:
            connection.execute(update(alert_notifications).where(_is_held(notification)).values(values))

    def _record(
        self, connection: Connection, row: RowMapping, message: AlertMessage | None, now_ms: int
    ) -> None:
        values = _transition(row, message, now_ms)
        if any(row[name] != value for name, value in values.items()):
            connection.execute(update(alerts).where(alerts.c.name == row["name"]).values(values))
        if values.get("state", row["state"]) != row["state"]:
            write(connection, {**row, **values}, self._channels, now_ms)


def _rows(connection: Connection, names: Iterable[str]) -> dict[str, RowMapping]:
    query = select(alerts).where(alerts.c.name.in_(list(names))).order_by(alerts.c.name).with_for_update()
    return {row["name"]: row for row in connection.execute(query).mappings()}


def _new_row(name: str, message: AlertMessage, now: datetime) -> dict[str, Any]:
    row = {"name": name, "state": AlertState.CLEARED, "since_ms": to_ms(now)}
    return row | _text(message)


def _text(message: AlertMessage) -> dict[str, str]:
    return {"subject": message.subject, "detail": message.detail, "command": message.command}


def _transition(row: RowMapping, message: AlertMessage | None, now_ms: int) -> dict[str, Any]:
    """The changes of `row`: the state changes once the opposite has lasted long enough."""
    is_raised = row["state"] == AlertState.RAISED
    text: dict[str, Any] = {} if message is None else _text(message)
    if is_raised == (message is not None):
        return text | {"pending_since_ms": None}
    pending_since_ms = now_ms if row["pending_since_ms"] is None else row["pending_since_ms"]
    threshold = RECOVERY if message is None else message.pending_for
    if now_ms - pending_since_ms < threshold // timedelta(milliseconds=1):
        return {"pending_since_ms": pending_since_ms}
    transition: dict[str, Any] = {"state": AlertState.CLEARED, "pending_since_ms": None}
    if message is not None:
        transition |= {
            "state": AlertState.RAISED,
            "episode": row["episode"] + 1,
            "since_ms": pending_since_ms,
        }
    return text | transition


def _alert(name: str, row: RowMapping) -> Alert:
    return Alert(
        name=name,
        state=AlertState(row["state"]),
        episode=row["episode"],
        subject=row["subject"],
        detail=row["detail"],
        command=row["command"],
        since=from_ms(row["since_ms"]),
    )
