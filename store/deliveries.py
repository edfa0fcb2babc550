"""What happened to mail after it left: the notifications' history, provider events and suppressions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, select, update

from domain.notice import Notice, NoticeState
from store.database import Database, insert_new
from store.moments import from_ms, from_ms_or_none, to_ms
from store.notices import notice_of
from store.schema import mail_events, notifications, sections, suppressions, watches

SUPPRESSING = {"bounced": NoticeState.BOUNCED, "complained": NoticeState.COMPLAINED}


@dataclass(frozen=True, slots=True)
class StoredNotice:
    """A notification with the times of its way from detected to delivered."""

    notice: Notice
    state: NoticeState
    reason: str | None
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None
    provider_id: str | None


class Deliveries:
    """Reading notifications, and recording what the mail provider reports of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, *, watch_id: int | None, state: NoticeState | None, before: int | None, limit: int
    ) -> tuple[list[StoredNotice], int | None]:
        """The notifications, newest first, and the next cursor."""
        columns = notifications.c
        query = (
            select(notifications, watches.c.email, sections.c.source, sections.c.term, sections.c.number)
            .select_from(notifications.join(watches).join(sections))
            .order_by(columns.id.desc())
            .limit(limit + 1)
        )
        for column, value in ((columns.watch_id, watch_id), (columns.state, state)):
            query = query if value is None else query.where(column == value)
        if before is not None:
            query = query.where(columns.id < before)
        with self._database.read() as connection:
            rows = list(connection.execute(query).mappings())
        return [_stored(row) for row in rows[:limit]], rows[limit - 1]["id"] if len(rows) > limit else None

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

        A bounce or complaint suppresses the address; a delivery settles the notification.
        """
        with self._database.write() as connection:
            row = {"id": event_id, "kind": kind, "received_at_ms": to_ms(now)}
            if not insert_new(connection, mail_events, row):
                return False
            if kind in SUPPRESSING and address is not None:
                suppression = {"email": address, "reason": reason or kind, "created_at_ms": to_ms(now)}
                insert_new(connection, suppressions, suppression)
            state = SUPPRESSING.get(kind) or (NoticeState.DELIVERED if kind == "delivered" else None)
            if state is not None and provider_id is not None:
                _settle(connection, provider_id, state, reason or None, to_ms(now))
        return True

    def suppression(self, email: str) -> str | None:
        """Why mail to `email` is suppressed, or None when it is not."""
        query = select(suppressions.c.reason).where(suppressions.c.email == email)
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def lift(self, email: str) -> bool:
        """Let mail to `email` leave again; False when nothing held it."""
        with self._database.write() as connection:
            return connection.execute(delete(suppressions).where(suppressions.c.email == email)).rowcount > 0


def _settle(
    connection: Connection, provider_id: str, state: NoticeState, reason: str | None, at_ms: int
) -> None:
    # Events may come in any order: a late "delivered" does not hide a bounce or a complaint.
    earlier = [NoticeState.SENDING, NoticeState.SENT]
    if state is not NoticeState.DELIVERED:
        earlier.append(NoticeState.DELIVERED)
    columns = notifications.c
    connection.execute(
        update(notifications)
        .where(columns.provider_id == provider_id, columns.state.in_(earlier))
        .values(state=state, reason=reason, settled_at_ms=at_ms)
    )


def _stored(row: RowMapping) -> StoredNotice:
    return StoredNotice(
        notice=notice_of(row),
        state=NoticeState(row["state"]),
        reason=row["reason"],
        created_at=from_ms(row["created_at_ms"]),
        due_at=from_ms(row["due_at_ms"]),
        sent_at=from_ms_or_none(row["sent_at_ms"]),
        settled_at=from_ms_or_none(row["settled_at_ms"]),
        provider_id=row["provider_id"],
    )
