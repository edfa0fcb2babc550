"""The audit log: operator actions with their time, target and extent. Append-only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from store.database import Database, from_ms, to_ms
from store.schema import audit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One operator action to record.

    Shape: `action` is `thing.verb`; `subject` is its target, such as "watch/12"; `detail` is JSON-compatible;
    `count` is the number of affected items.
    """

    at: datetime
    by: str
    action: str
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1


@dataclass(frozen=True, slots=True)
class Record:
    """A stored entry with its id."""

    id: int
    entry: AuditEntry


class Audit:
    """The rows of `audit`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, entry: AuditEntry) -> None:
        """Record an action outside this database; actions inside it use `write`."""
        with self._database.write() as connection:
            write(connection, entry)

    def page(self, before: int | None, limit: int, **wanted: str | None) -> tuple[list[Record], int | None]:
        """The newest records, older than the cursor `before`, and the next cursor.

        Shape: `wanted` are `by`, `action` and `subject`; None stands for any.
        """
        query = select(audit).order_by(audit.c.id.desc())
        for name, value in wanted.items():
            query = query if value is None else query.where(audit.c[name] == value)
        if before is not None:
            query = query.where(audit.c.id < before)
        return self._database.page(query, limit, "id", _record)

    def on(self, subjects: Collection[str], limit: int | None = 500) -> list[Record]:
        """The newest records about `subjects`; a `limit` of None means all."""
        query = select(audit).where(audit.c.subject.in_(list(subjects))).order_by(audit.c.id.desc())
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query.limit(limit)).mappings()]


def write(connection: Connection, entry: AuditEntry | None, **updates: Any) -> None:
    """Record `entry` in the transaction of its effect; None if no operator acted.

    `updates` replaces fields that were not known before.
    """
    if entry is not None:
        entry = replace(entry, **updates)
        row = {"at_ms": to_ms(entry.at), "by": entry.by, "action": entry.action, "subject": entry.subject}
        row |= {"detail": dict(entry.detail), "count": entry.count}
        connection.execute(insert(audit).values(row))


def _record(row: RowMapping) -> Record:
    at, detail = from_ms(row["at_ms"]), row["detail"]
    return Record(row["id"], AuditEntry(at, row["by"], row["action"], row["subject"], detail, row["count"]))
