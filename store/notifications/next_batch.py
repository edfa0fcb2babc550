"""Selects the next batch: an unfinished batch that is due, else a new one of pending notifications.

This is the last check of everything that can withdraw a notification: an ended or paused watch, an opt-out, a
suppressed address, a section whose state has changed, the daily cap of an address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, func, insert, select, update

from domain.notification import NotificationState
from domain.notification_policy import SectionSnapshot, UnsentNotification, outdated
from domain.section_state import Anomaly
from domain.watch import NotificationKind
from store.database import serialise, to_ms
from store.refusals import OPTED_OUT, opted_out
from store.schema import mail_batches, notifications, sections, suppressions, watches

_DAY = timedelta(days=1)
_UNTIL_CONFIRMED = timedelta(minutes=1)  # how long news of seats waits until it is judged again
_HIDES_SEATS = frozenset({Anomaly.FULL, Anomaly.CAPACITY})


class BatchState(StrEnum):
    """Where a mail batch is.

    `unknown` means that nobody can say whether it was sent, `crashed` that it took its workers with it.
    """

    SENDING = "sending"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    CRASHED = "crashed"


IS_DUE_BATCH = (mail_batches.c.state == BatchState.SENDING) & (
    mail_batches.c.due_at_ms <= bindparam("now_ms")
)
"""The condition of an unfinished batch that may be sent again, at the time `now_ms`."""

_notice = notifications.c
_UNSENT = select(mail_batches.c.id).where(IS_DUE_BATCH, mail_batches.c.attempts == 0)
_LOCK_UNSENT = _UNSENT.with_for_update(skip_locked=True)
_DUE = select(mail_batches.c.id).where(IS_DUE_BATCH).limit(1).with_for_update(skip_locked=True)
_LOCK_DUE = _DUE.order_by(mail_batches.c.due_at_ms)
_LOCK_LEAST_TRIED = _DUE.order_by(mail_batches.c.attempts, mail_batches.c.due_at_ms)
_LOCK_PENDING = (
    select(
        _notice.id,
        watches.c.email,
        _notice.kind,
        _notice.episode,
        _notice.facts,
        _notice.starts,
        _notice.deferrals,
        watches.c.min_seats,
        watches.c.ended_reason,
        watches.c.ended_at_ms,
        watches.c.paused_until_ms,
        sections.c.observed_at_ms,
        sections.c.open_seats,
        sections.c.openings,
        sections.c.instructor,
        sections.c.assignments,
        sections.c.retired,
        sections.c.retirements,
        sections.c.anomalies,
        suppressions.c.reason.label("suppressed"),
        opted_out(watches.c.email, watches.c.section_id).label("is_opted_out"),
    )
    .select_from(notifications.join(watches).join(sections))
    .outerjoin(suppressions, suppressions.c.email == watches.c.email)
    .where(_notice.state == NotificationState.PENDING, _notice.due_at_ms <= bindparam("now_ms"))
    .order_by(_notice.due_at_ms, _notice.id)
    .limit(bindparam("most"))
    .with_for_update(of=notifications, skip_locked=True)
)
_LOCK_FRESH = _LOCK_PENDING.where(_notice.reason.is_(None), _notice.starts == 0)
_CALL_OFF = (
    update(notifications)
    .where(_notice.id == bindparam("notice_id"))
    .values(state=NotificationState.SUPPRESSED)
)
_HOLD = update(notifications).where(_notice.id.in_(bindparam("ids")))
_RENAME = update(notifications).where(_notice.id == bindparam("notice_id"))
_STANDING = tuple(each.name for each in fields(SectionSnapshot))
_MAKE = insert(mail_batches).values(state=BatchState.SENDING).returning(mail_batches.c.id)
_LEAVE = update(notifications).where(_notice.id.in_(bindparam("ids"))).values(state=NotificationState.SENDING)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How many letters a batch holds, and how many an address gets in 24 hours (0: any number).

    A probe of the transport (`is_probe`) is drawn from what has not failed yet, as long as there is any.
    """

    batch_size: int
    daily_cap: int = 0
    is_probe: bool = False


def next_batch(connection: Connection, now: datetime, rules: BatchLimits) -> int | None:
    """The id of the batch to send now, or None when nothing is due."""
    _dissolve_unsent(connection, now)
    if rules.is_probe:
        fresh = _new_batch(connection, now, rules, _LOCK_FRESH)
        due = fresh or _due_batch(connection, now, _LOCK_LEAST_TRIED)
    else:
        due = _due_batch(connection, now, _LOCK_DUE)
    return due or _new_batch(connection, now, rules, _LOCK_PENDING)


def _dissolve_unsent(connection: Connection, now: datetime) -> None:
    """Batches whose sender died before it handed them over: their letters may still be called off."""
    ids = list(connection.execute(_LOCK_UNSENT, {"now_ms": to_ms(now)}).scalars())
    if not ids:
        return
    of_batches = notifications.c.mail_batch_id.in_(ids)
    of_notice = mail_batches.c.id == notifications.c.mail_batch_id
    pending = {
        "state": NotificationState.PENDING,
        "mail_batch_id": None,
        "starts": select(mail_batches.c.starts).where(of_notice).scalar_subquery(),
        "reason": select(mail_batches.c.reason).where(of_notice).scalar_subquery(),
    }
    connection.execute(update(notifications).where(of_batches).values(pending))
    connection.execute(delete(mail_batches).where(mail_batches.c.id.in_(ids)))


def _due_batch(connection: Connection, now: datetime, query: Select[Any]) -> int | None:
    return connection.execute(query, {"now_ms": to_ms(now)}).scalar()


def _new_batch(connection: Connection, now: datetime, rules: BatchLimits, query: Select[Any]) -> int | None:
    """Collect what may leave now; the loop goes on while all that it finds is called off."""
    if rules.daily_cap:
        serialise(connection, "daily cap")
    while rows := _company(_pending(connection, now, rules.batch_size, query)):
        objections = _objections(connection, rows, now, rules.daily_cap)
        if objections:
            called_off = [
                {"notice_id": notification_id, "reason": reason, "completed_at_ms": to_ms(now)}
                for notification_id, reason in objections.items()
            ]
            connection.execute(_CALL_OFF, called_off)
        rows = [row for row in rows if row["id"] not in objections]
        held = [row["id"] for row in rows if _is_doubted(row)]
        if held:
            connection.execute(_HOLD, {"ids": held, "due_at_ms": to_ms(now + _UNTIL_CONFIRMED)})
        leaving = [row for row in rows if row["id"] not in held]
        if leaving:
            _rename(connection, leaving)
            return _make_batch(connection, [row["id"] for row in leaving], leaving[0]["starts"], now)
    return None


def _company(rows: list[RowMapping]) -> list[RowMapping]:
    """Which of `rows` leave together: what a sender died with, or what was put off, leaves alone."""
    return rows[:1] if rows and _leaves_alone(rows[0]) else [row for row in rows if not _leaves_alone(row)]


def _leaves_alone(row: RowMapping) -> bool:
    return bool(row["starts"] or row["deferrals"])


def _objections(
    connection: Connection, rows: Iterable[RowMapping], now: datetime, daily_cap: int
) -> dict[int, str]:
    """Why each notification that must not be sent any more is called off."""
    rows, found = list(rows), {}
    sent = _sent_lately(connection, {row["email"] for row in rows}, now) if daily_cap else Counter()
    for row in rows:
        reason = _objection(row, to_ms(now))
        if reason is None and daily_cap and not _is_farewell(row) and sent[row["email"]] >= daily_cap:
            reason = f"the address has had its {daily_cap} mails of the day"
        if reason is None:
            sent[row["email"]] += 1
        else:
            found[row["id"]] = reason
    return found


def _sent_lately(connection: Connection, emails: Iterable[str], now: datetime) -> Counter[str]:
    columns = notifications.c
    is_recent = (columns.state == NotificationState.SENDING) | (columns.sent_at_ms > to_ms(now - _DAY))
    query = (
        select(watches.c.email, func.count())
        .select_from(notifications.join(watches))
        .where(watches.c.email.in_(list(emails)), is_recent)
        .group_by(watches.c.email)
    )
    return Counter({row[0]: row[1] for row in connection.execute(query)})


def _make_batch(connection: Connection, notification_ids: list[int], starts: int, now: datetime) -> int:
    row = {"key": f"rollcall-{uuid4().hex}", "created_at_ms": to_ms(now), "starts": starts}
    batch_id = int(connection.execute(_MAKE, row).scalar_one())
    connection.execute(_LEAVE, {"ids": notification_ids, "mail_batch_id": batch_id})
    return batch_id


def _pending(connection: Connection, now: datetime, limit: int, query: Select[Any]) -> list[RowMapping]:
    return list(connection.execute(query, {"now_ms": to_ms(now), "most": limit}).mappings())


def _objection(row: RowMapping, now_ms: int) -> str | None:
    """Why this notification must not be sent any more, or None."""
    if row["is_opted_out"]:
        return OPTED_OUT
    if row["suppressed"] is not None:
        return f"mail to the address is suppressed ({row['suppressed']})"
    if _is_farewell(row):
        return None  # it stands for every watch that ended with its term, whatever is listed since
    if row["ended_at_ms"] is not None:
        return f"the watch has ended ({row['ended_reason']})"
    if (row["paused_until_ms"] or 0) > now_ms:
        return "the watch is paused"
    unsent = UnsentNotification(
        NotificationKind(row["kind"]), row["episode"], row["min_seats"], row["facts"]["instructor"]
    )
    return outdated(unsent, SectionSnapshot(**{name: row[name] for name in _STANDING}))


def _is_farewell(row: RowMapping) -> bool:
    """Whether it is the one mail that ends all watches of a term. It never comes again: no cap applies."""
    return "ended_watches" in row["facts"]


def _is_doubted(row: RowMapping) -> bool:
    """Whether the source shows no seats any more, and further checks must confirm it.

    The state keeps the seats of before so long: a mail would name them as seen just now.
    """
    return row["kind"] == NotificationKind.SEAT_AVAILABLE and not _HIDES_SEATS.isdisjoint(
        row["anomalies"] or ()
    )


def _rename(connection: Connection, rows: Iterable[RowMapping]) -> None:
    """Name the present instructor where another has followed the one that was assigned."""
    for row in rows:
        if (
            row["kind"] == NotificationKind.INSTRUCTOR_ASSIGNED
            and row["facts"]["instructor"] != row["instructor"]
        ):
            facts = row["facts"] | {"instructor": row["instructor"]}
            connection.execute(
                _RENAME, {"notice_id": row["id"], "facts": facts, "observed_at_ms": row["observed_at_ms"]}
            )
