"""Which notifications leave next: an unfinished batch that is due, else a new one of what is pending.

Everything that can call a letter off is looked at once more here: an ended watch, a suppressed address,
seats that are gone again after the cooldown, the daily cap of an address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select, update

from domain.notice import NoticeState
from domain.watch import Kind
from store.moments import to_ms
from store.schema import mail_batches, notifications, sections, suppressions, watches

_DAY = timedelta(days=1)


class BatchState(StrEnum):
    """Where a mail batch is; `unknown` means that nobody can say whether it was sent."""

    SENDING = "sending"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rules:
    """How many letters a batch holds, and how many an address gets in 24 hours (0: any number)."""

    batch_size: int
    daily_cap: int = 0


def next_batch(connection: Connection, now: datetime, rules: Rules) -> int | None:
    """The id of the batch to send now, or None when nothing is due."""
    _dissolve_unsent(connection, now)
    return _due_batch(connection, now) or _new_batch(connection, now, rules)


def is_due_batch(at_ms: int) -> ColumnElement[bool]:
    """The condition of an unfinished batch that may be sent again."""
    return (mail_batches.c.state == BatchState.SENDING) & (mail_batches.c.due_at_ms <= at_ms)


def _dissolve_unsent(connection: Connection, now: datetime) -> None:
    """Batches whose sender died before it handed them over: their letters may still be called off."""
    unsent = select(mail_batches.c.id).where(is_due_batch(to_ms(now)), mail_batches.c.attempts == 0)
    ids = list(connection.execute(unsent.with_for_update(skip_locked=True)).scalars())
    if not ids:
        return
    of_batches = notifications.c.mail_batch_id.in_(ids)
    pending = {"state": NoticeState.PENDING, "mail_batch_id": None}
    connection.execute(update(notifications).where(of_batches).values(pending))
    connection.execute(delete(mail_batches).where(mail_batches.c.id.in_(ids)))


def _due_batch(connection: Connection, now: datetime) -> int | None:
    query = (
        select(mail_batches.c.id).where(is_due_batch(to_ms(now))).order_by(mail_batches.c.due_at_ms).limit(1)
    )
    return connection.execute(query.with_for_update(skip_locked=True)).scalar()


def _new_batch(connection: Connection, now: datetime, rules: Rules) -> int | None:
    """Collect what may leave now; the loop goes on while all that it finds is called off."""
    while rows := _pending(connection, now, rules.batch_size):
        objections = _objections(connection, rows, now, rules.daily_cap)
        for notice_id, reason in objections.items():
            values = {"state": NoticeState.SUPPRESSED, "reason": reason, "settled_at_ms": to_ms(now)}
            connection.execute(update(notifications).where(notifications.c.id == notice_id).values(values))
        leaving = [row["id"] for row in rows if row["id"] not in objections]
        if leaving:
            return _make_batch(connection, leaving, now)
    return None


def _objections(
    connection: Connection, rows: Iterable[RowMapping], now: datetime, daily_cap: int
) -> dict[int, str]:
    """Why each notification that must not be sent any more is called off."""
    rows, found = list(rows), {}
    sent = _sent_lately(connection, {row["email"] for row in rows}, now) if daily_cap else Counter()
    for row in rows:
        reason = _objection(row)
        if reason is None and daily_cap and sent[row["email"]] >= daily_cap:
            reason = f"the address has had its {daily_cap} mails of the day"
        if reason is None:
            sent[row["email"]] += 1
        else:
            found[row["id"]] = reason
    return found


def _sent_lately(connection: Connection, emails: Iterable[str], now: datetime) -> Counter[str]:
    columns = notifications.c
    is_recent = (columns.state == NoticeState.SENDING) | (columns.sent_at_ms > to_ms(now - _DAY))
    query = (
        select(watches.c.email, func.count())
        .select_from(notifications.join(watches))
        .where(watches.c.email.in_(list(emails)), is_recent)
        .group_by(watches.c.email)
    )
    return Counter({row[0]: row[1] for row in connection.execute(query)})


def _make_batch(connection: Connection, notice_ids: list[int], now: datetime) -> int:
    row = {"key": f"rollcall-{uuid4().hex}", "state": BatchState.SENDING, "created_at_ms": to_ms(now)}
    made = connection.execute(insert(mail_batches).values(row).returning(mail_batches.c.id))
    batch_id = int(made.scalar_one())
    values = {"state": NoticeState.SENDING, "mail_batch_id": batch_id}
    connection.execute(update(notifications).where(notifications.c.id.in_(notice_ids)).values(values))
    return batch_id


def _pending(connection: Connection, now: datetime, limit: int) -> list[RowMapping]:
    columns = notifications.c
    query = (
        select(
            columns.id,
            watches.c.email,
            columns.kind,
            columns.episode,
            columns.created_at_ms,
            columns.due_at_ms,
            watches.c.min_seats,
            watches.c.ended_reason,
            watches.c.ended_at_ms,
            sections.c.open_seats,
            sections.c.openings,
            suppressions.c.reason.label("suppressed"),
        )
        .select_from(notifications.join(watches).join(sections))
        .outerjoin(suppressions, suppressions.c.email == watches.c.email)
        .where(columns.state == NoticeState.PENDING, columns.due_at_ms <= to_ms(now))
        .order_by(columns.due_at_ms, columns.id)
        .limit(limit)
        .with_for_update(of=notifications, skip_locked=True)
    )
    return list(connection.execute(query).mappings())


def _objection(row: RowMapping) -> str | None:
    """Why this notification must not be sent any more, or None."""
    if row["suppressed"] is not None:
        return f"mail to the address is suppressed ({row['suppressed']})"
    if row["ended_at_ms"] is not None:
        return f"the watch has ended ({row['ended_reason']})"
    waited = row["kind"] == Kind.SEAT_AVAILABLE and row["due_at_ms"] > row["created_at_ms"]
    if waited and (row["open_seats"] < row["min_seats"] or row["openings"] != row["episode"]):
        return "the seats were gone again when the cooldown was over"
    return None
