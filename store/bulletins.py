"""Bulletins: what each channel must tell of each alert, in order, until it has been told.

What nobody has tried to tell yet can still be spared: an alert that returns before its recovery left was,
for whoever hears of it, never over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, exists, insert, select, update

from domain.alert import Alert, AlertNotification, AlertState
from store.moments import from_ms
from store.schema import bulletins

_COPIED = ("state", "episode", "subject", "detail", "command", "since_ms")


def write(connection: Connection, alert: Mapping[str, Any], channels: Iterable[str], now_ms: int) -> None:
    """Have each of `channels` tell the turn that `alert` has just taken."""
    row = {name: alert[name] for name in _COPIED} | {"alert": alert["name"], "at_ms": now_ms}
    for channel in channels:
        if alert["state"] == AlertState.CLEARED or not _spare_recovery(connection, alert["name"], channel):
            connection.execute(insert(bulletins).values(row | {"channel": channel, "due_at_ms": now_ms}))


def claim(connection: Connection, now_ms: int, until_ms: int) -> AlertNotification | None:
    """The earliest that is due, held until `until_ms`; the attempts are the fence of whoever holds it."""
    query = select(bulletins).where(_is_next(now_ms)).order_by(bulletins.c.id).limit(1)
    row = connection.execute(query.with_for_update(skip_locked=True)).mappings().first()
    if row is None:
        return None
    values = {"due_at_ms": until_ms, "attempts": bulletins.c.attempts + 1}
    connection.execute(update(bulletins).where(bulletins.c.id == row["id"]).values(values))
    return _bulletin(row)


def are_due(connection: Connection, now_ms: int) -> bool:
    """Whether `claim` would find any."""
    return connection.execute(select(bulletins.c.id).where(_is_next(now_ms)).limit(1)).first() is not None


def settle(connection: Connection, bulletin: AlertNotification, now_ms: int) -> None:
    """It was delivered; changes nothing once another holds it."""
    values = {"told_at_ms": now_ms, "due_at_ms": None, "reason": None}
    connection.execute(update(bulletins).where(_is_held(bulletin)).values(values))


def postpone(connection: Connection, bulletin: AlertNotification, due_at_ms: int, reason: str) -> None:
    """It could not be delivered, for `reason`; changes nothing once another holds it."""
    values = {"due_at_ms": due_at_ms, "reason": reason}
    connection.execute(update(bulletins).where(_is_held(bulletin)).values(values))


def _is_held(bulletin: AlertNotification) -> ColumnElement[bool]:
    columns = bulletins.c
    is_ours = (columns.id == bulletin.id) & (columns.attempts == bulletin.attempts + 1)
    return is_ours & columns.told_at_ms.is_(None)


def _is_next(now_ms: int) -> ColumnElement[bool]:
    columns, earlier = bulletins.c, bulletins.alias().c
    waits_for = exists().where(
        earlier.alert == columns.alert,
        earlier.channel == columns.channel,
        earlier.id < columns.id,
        earlier.told_at_ms.is_(None),
    )
    return columns.told_at_ms.is_(None) & (columns.due_at_ms <= now_ms) & ~waits_for


def _spare_recovery(connection: Connection, alert: str, channel: str) -> bool:
    columns = bulletins.c
    untried = columns.told_at_ms.is_(None) & (columns.attempts == 0)
    recovery = (columns.alert == alert) & (columns.channel == channel) & (columns.state == AlertState.CLEARED)
    return connection.execute(delete(bulletins).where(recovery, untried)).rowcount > 0


def _bulletin(row: RowMapping) -> AlertNotification:
    alert = Alert(
        name=row["alert"],
        state=AlertState(row["state"]),
        episode=row["episode"],
        subject=row["subject"],
        detail=row["detail"],
        command=row["command"],
        since=from_ms(row["since_ms"]),
    )
    return AlertNotification(row["id"], alert, row["channel"], from_ms(row["at_ms"]), row["attempts"])
