"""Parked batches of checks: what they wait for, and how the end of the reason ends the wait."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select, update

from domain.run import WaitReason
from store.database import Database
from store.schema import check_batches

AT_ONCE_MS = 0
"""A due time that has passed by every clock."""


class Waits:
    """The rows of `check_batches` that are parked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reasons(self) -> set[tuple[str, WaitReason]]:
        """Each source whose batches wait, with what they wait for; back-off after failures is left out."""
        columns = check_batches.c
        waiting = columns.waits_for.is_not(None) & (columns.due_at_ms > AT_ONCE_MS)
        query = select(columns.source, columns.waits_for).where(waiting).distinct()
        with self._database.read() as connection:
            return {(source, WaitReason(reason)) for source, reason in connection.execute(query)}

    def resume(self, source: str, reasons: Collection[WaitReason] = tuple(WaitReason)) -> int:
        """Make the batches of `source` that wait for one of `reasons` due at once; how many those are."""
        with self._database.write() as connection:
            return resume(connection, source, reasons)


def resume(connection: Connection, source: str, reasons: Collection[WaitReason]) -> int:
    """As `Waits.resume`, in the caller's transaction."""
    columns = check_batches.c
    waiting = (columns.source == source) & columns.waits_for.in_(sorted(reasons)) & (columns.due_at_ms > 0)
    ended = update(check_batches).where(waiting).values(due_at_ms=AT_ONCE_MS)
    return connection.execute(ended).rowcount
