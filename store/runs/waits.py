"""Deferred checks and mail: the reason for the wait, and its end when the reason ends."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select, update

from domain.notification import MAIL
from domain.run import WaitReason
from store.database import Database
from store.notifications.batch_selection import BatchState
from store.schema import check_batches, mail_batches

AT_ONCE_MS = 0
"""A due time that has passed by every clock."""


class Waits:
    """The rescheduled rows of `check_batches`, and the postponed rows of `mail_batches`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reasons(self) -> set[tuple[str, WaitReason]]:
        """Each source whose batches wait, with the reason; back-off after failures is not included."""
        columns = check_batches.c
        waiting = columns.waits_for.is_not(None) & (columns.due_at_ms > AT_ONCE_MS)
        query = select(columns.source, columns.waits_for).where(waiting).distinct()
        with self._database.read() as connection:
            return {(source, WaitReason(reason)) for source, reason in connection.execute(query)}

    def resume(self, name: str, reasons: Collection[WaitReason] = tuple(WaitReason)) -> int:
        """Make what waits for one of `reasons` at a source, or "mail", due at once.

        Return the number of batches.
        """
        with self._database.write() as connection:
            return resume(connection, name, reasons)


def resume(connection: Connection, name: str, reasons: Collection[WaitReason]) -> int:
    """As `Waits.resume`, in the caller's transaction."""
    if name == MAIL:
        return _resume_mail(connection)
    columns = check_batches.c
    waiting = (columns.source == name) & columns.waits_for.in_(sorted(reasons)) & (columns.due_at_ms > 0)
    ended = update(check_batches).where(waiting).values(due_at_ms=AT_ONCE_MS)
    return connection.execute(ended).rowcount


def _resume_mail(connection: Connection) -> int:
    """A postponed batch has no sender: its `starts` are zero. Deferred messages keep their own back-off."""
    columns = mail_batches.c
    put_off = (columns.state == BatchState.SENDING) & (columns.starts == 0) & (columns.due_at_ms > AT_ONCE_MS)
    return connection.execute(update(mail_batches).where(put_off).values(due_at_ms=AT_ONCE_MS)).rowcount
