"""Alerts: what is wrong and for how long, one row a condition; and what must be told of it.

    cleared --it holds for its hold-off--> raised --it is gone for a minute--> cleared

Each turn writes one bulletin a channel, in the same transaction (`store.bulletins`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from domain.alert import Alert, AlertMessage, AlertNotification, AlertState
from store import bulletins
from store.database import Database, insert_new
from store.moments import from_ms, to_ms
from store.schema import alerts

RECOVERY = timedelta(minutes=1)


class Alerts:
    """The rows of `alerts`, and the bulletins of `channels`."""

    def __init__(self, database: Database, channels: Sequence[str] = ()) -> None:
        self._database = database
        self._channels = tuple(channels)

    def observe(self, conditions: Mapping[str, AlertMessage | None], now: datetime) -> None:
        """Take note of what holds (its symptom) and what does not (None); the rest stays as it is."""
        with self._database.write() as connection:
            rows = _rows(connection, conditions)
            for name, symptom in sorted(conditions.items()):
                if name in rows:
                    self._look(connection, rows[name], symptom, to_ms(now))
                elif symptom is not None and insert_new(connection, alerts, _first(name, symptom, now)):
                    row = _rows(connection, [name])[name]
                    self._look(connection, row, symptom, to_ms(now))

    def claim(self, now: datetime, *, lease: timedelta) -> AlertNotification | None:
        """The next bulletin to deliver, nobody else's for the time of `lease`, or None.

        One at a time, so that the lease covers one delivery and no queue of them. The recovery of an alert
        follows once it has been told that it was raised.
        """
        with self._database.write() as connection:
            return bulletins.claim(connection, to_ms(now), to_ms(now + lease))

    def is_due(self, now: datetime) -> bool:
        """Whether there is anything to tell."""
        with self._database.read() as connection:
            return bulletins.are_due(connection, to_ms(now))

    def told(self, bulletin: AlertNotification, now: datetime) -> None:
        """Note that the operator has it, unless its lease has passed to another."""
        with self._database.write() as connection:
            bulletins.settle(connection, bulletin, to_ms(now))

    def postpone(self, bulletin: AlertNotification, due_at: datetime, reason: str) -> None:
        """Deliver it at `due_at`, unless its lease has passed to another; `reason` says why not now."""
        with self._database.write() as connection:
            bulletins.postpone(connection, bulletin, to_ms(due_at), reason)

    def all(self) -> list[Alert]:
        """Every alert that was ever raised, by its name."""
        query = select(alerts).where(alerts.c.episode > 0).order_by(alerts.c.name)
        with self._database.read() as connection:
            return [_alert(row) for row in connection.execute(query).mappings()]

    def _look(
        self, connection: Connection, row: RowMapping, symptom: AlertMessage | None, now_ms: int
    ) -> None:
        values = _seen(row, symptom, now_ms)
        if any(row[name] != value for name, value in values.items()):
            connection.execute(update(alerts).where(alerts.c.name == row["name"]).values(values))
        if values.get("state", row["state"]) != row["state"]:
            bulletins.write(connection, {**row, **values}, self._channels, now_ms)


def _rows(connection: Connection, names: Iterable[str]) -> dict[str, RowMapping]:
    query = select(alerts).where(alerts.c.name.in_(list(names))).order_by(alerts.c.name).with_for_update()
    return {row["name"]: row for row in connection.execute(query).mappings()}


def _first(name: str, symptom: AlertMessage, now: datetime) -> dict[str, Any]:
    row = {"name": name, "state": AlertState.CLEARED, "since_ms": to_ms(now)}
    return row | _words(symptom)


def _words(symptom: AlertMessage) -> dict[str, str]:
    return {"subject": symptom.subject, "detail": symptom.detail, "command": symptom.command}


def _seen(row: RowMapping, symptom: AlertMessage | None, now_ms: int) -> dict[str, Any]:
    """What changes in `row`: a state turns once what contradicts it was seen for long enough."""
    is_raised = row["state"] == AlertState.RAISED
    words: dict[str, Any] = {} if symptom is None else _words(symptom)
    if is_raised == (symptom is not None):
        return words | {"doubted_since_ms": None}
    doubted_ms = now_ms if row["doubted_since_ms"] is None else row["doubted_since_ms"]
    patience = RECOVERY if symptom is None else symptom.hold_off
    if now_ms - doubted_ms < patience // timedelta(milliseconds=1):
        return {"doubted_since_ms": doubted_ms}
    turned: dict[str, Any] = {"state": AlertState.CLEARED, "doubted_since_ms": None}
    if symptom is not None:
        turned |= {"state": AlertState.RAISED, "episode": row["episode"] + 1, "since_ms": doubted_ms}
    return words | turned


def _alert(row: RowMapping) -> Alert:
    return Alert(
        name=row["name"],
        state=AlertState(row["state"]),
        episode=row["episode"],
        subject=row["subject"],
        detail=row["detail"],
        command=row["command"],
        since=from_ms(row["since_ms"]),
    )
