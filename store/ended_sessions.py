"""Console sessions signed out before they expired; their cookies are no longer valid."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from store import audit
from store.audit import AuditEntry
from store.database import Database, insert_new, to_ms
from store.schema import ended_sessions


class EndedSessions:
    """The rows of `ended_sessions`, each kept until its session would have expired."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def end(self, name: str, expires_at: datetime, now: datetime, entry: AuditEntry | None = None) -> None:
        """End a session permanently, and delete expired rows. Idempotent."""
        is_over = ended_sessions.c.expires_at_ms <= to_ms(now)
        with self._database.write() as connection:
            connection.execute(delete(ended_sessions).where(is_over))
            is_new = insert_new(
                connection, ended_sessions, {"name": name, "expires_at_ms": to_ms(expires_at)}
            )
            audit.write(connection, entry if is_new else None)

    def has(self, name: str) -> bool:
        """Whether the session was ended."""
        with self._database.read() as connection:
            query = select(ended_sessions.c.name).where(ended_sessions.c.name == name)
            return connection.execute(query).first() is not None
