"""Pauses of sources or of mail until a time. They survive restarts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, bindparam, delete, select, update

from domain.run import WaitReason
from store import audit
from store.audit import AuditEntry
from store.database import Database, from_ms, insert_new, to_ms
from store.runs import waits
from store.schema import pauses

ROLLCALL = "rollcall"
_FIND = select(pauses).where(pauses.c.name == bindparam("name"))
_LOCK = _FIND.with_for_update()


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause: its target, end, reason and author (`ROLLCALL` or the operator's name)."""

    name: str
    until: datetime
    reason: str
    by: str
    created_at: datetime

    @property
    def is_ours(self) -> bool:
        """Whether Rollcall set it; a success ends such a pause, its expiry does not."""
        return self.by == ROLLCALL

    def is_in_force(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return now < self.until


class Pauses:
    """The rows of `pauses`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pause(
        self,
        name: str,
        until: datetime,
        reason: str,
        by: str,
        now: datetime,
        entry: AuditEntry | None = None,
    ) -> Pause:
        """Pause `name` until `until`; return the resulting pause.

        An operator's pause replaces an existing one. A pause by Rollcall only extends an existing one, whose
        author remains.
        """
        row = {
            "name": name,
            "until_ms": to_ms(until),
            "reason": reason,
            "by": by,
            "created_at_ms": to_ms(now),
        }
        with self._database.write() as connection:
            if not insert_new(connection, pauses, row):
                before = connection.execute(_LOCK, {"name": name}).mappings().one()
                if by == ROLLCALL:
                    row = _extended(before, row, to_ms(now))
                connection.execute(update(pauses).where(pauses.c.name == name).values(row))
            audit.write(connection, entry)
        return _pause(row)

    def pause_for(self, name: str, wait: timedelta, reason: str, now: datetime) -> Pause:
        """As `pause`, by Rollcall itself, from `now` on for `wait`."""
        return self.pause(name, now + wait, reason, ROLLCALL, now)

    def resume(self, name: str, entry: AuditEntry | None = None) -> bool:
        """End the pause of `name`; return whether there was one. Waiting work is due at once."""
        return self._end(pauses.c.name == name, entry)

    def end_ours(self, pause: Pause) -> bool:
        """End `pause` after its target was seen to work; return whether it ended.

        A pause by an operator remains, and so does one set meanwhile.
        """
        is_it = (pauses.c.name == pause.name) & (pauses.c.created_at_ms == to_ms(pause.created_at))
        return pause.is_ours and self._end(is_it & (pauses.c.by == ROLLCALL))

    def _end(self, this: ColumnElement[bool], entry: AuditEntry | None = None) -> bool:
        with self._database.write() as connection:
            found = connection.execute(delete(pauses).where(this).returning(*pauses.c)).mappings().first()
            if found is None:
                return False
            waits.resume(connection, found["name"], [WaitReason.PAUSE])
            audit.write(connection, entry)
        return True

    def paused(self, name: str, now: datetime) -> Pause | None:
        """The pause of `name` that is in force, or None."""
        found = self.find(name)
        return found if found is not None and found.is_in_force(now) else None

    def find(self, name: str) -> Pause | None:
        """The pause of `name` that was not ended, even if it has expired."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"name": name}).mappings().first()
        return None if row is None else _pause(row)

    def all(self) -> dict[str, Pause]:
        """All pauses that were not ended, by name, including expired ones."""
        with self._database.read() as connection:
            rows = connection.execute(select(pauses).order_by(pauses.c.name)).mappings()
            return {row["name"]: _pause(row) for row in rows}


def _extended(before: RowMapping, wanted: dict[str, Any], now_ms: int) -> dict[str, Any]:
    is_over = before["until_ms"] <= now_ms
    if is_over and before["by"] != ROLLCALL:
        return wanted
    until_ms = max(before["until_ms"], wanted["until_ms"])
    if before["by"] != ROLLCALL:
        return {**before, "until_ms": until_ms}
    return wanted | {"until_ms": until_ms}


def _pause(row: RowMapping | dict[str, Any]) -> Pause:
    return Pause(
        row["name"], from_ms(row["until_ms"]), row["reason"], row["by"], from_ms(row["created_at_ms"])
    )
