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
from store.watch_import import WATCH_COLUMNS, watch_of

_DAY = timedelta(days=1)
_UNTIL_CONFIRMED = timedelta(minutes=1)  # how long an unconfirmed opening waits until the next decision
_STATES_SEATS = frozenset({NotificationKind.SEAT_AVAILABLE, NotificationKind.WAITLIST_AVAILABLE})
_HIDES_SEATS = frozenset({Anomaly.FULL, Anomaly.CAPACITY})


class BatchState(StrEnum):
    """The state of a mail batch.

    `unknown`: it may or may not have been sent. `crashed`: it killed its workers.
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

_SNAPSHOT_FIELDS = tuple(each.name for each in fields(SectionSnapshot))
_columns = notifications.c
_UNSENT = select(mail_batches.c.id).where(IS_DUE_BATCH, mail_batches.c.attempts == 0)
_LOCK_UNSENT = _UNSENT.with_for_update(skip_locked=True)
_DUE = select(mail_batches.c.id).where(IS_DUE_BATCH).limit(1).with_for_update(skip_locked=True)
_LOCK_DUE = _DUE.order_by(mail_batches.c.due_at_ms)
_LOCK_LEAST_TRIED = _DUE.order_by(mail_batches.c.attempts, mail_batches.c.due_at_ms)
_LOCK_PENDING = (
    select(
        _columns.id,
        *WATCH_COLUMNS,
        _columns.kind,
        _columns.episode,
        _columns.facts,
        _columns.starts,
        _columns.deferrals,
        watches.c.ended_reason,
        watches.c.ended_at_ms,
        watches.c.paused_until_ms,
        sections.c.observed_at_ms,
        *(sections.c[name] for name in _SNAPSHOT_FIELDS),
        sections.c.anomalies,
        suppressions.c.reason.label("suppressed"),
        opted_out(watches.c.email, watches.c.section_id).label("is_opted_out"),
    )
    .select_from(notifications.join(watches).join(sections))
    .outerjoin(suppressions, suppressions.c.email == watches.c.email)
    .where(_columns.state == NotificationState.PENDING, _columns.due_at_ms <= bindparam("now_ms"))
    .order_by(_columns.due_at_ms, _columns.id)
    .limit(bindparam("most"))
    .with_for_update(of=notifications, skip_locked=True)
)
_LOCK_FRESH = _LOCK_PENDING.where(_columns.reason.is_(None), _columns.starts == 0)
_WITHDRAW = (
    update(notifications)
    .where(_columns.id == bindparam("notification_id"))
    .values(state=NotificationState.SUPPRESSED)
)
_HOLD = update(notifications).where(_columns.id.in_(bindparam("ids")))
_UPDATE_FACTS = update(notifications).where(_columns.id == bindparam("notification_id"))
_INSERT = insert(mail_batches).values(state=BatchState.SENDING).returning(mail_batches.c.id)
_START_SENDING = (
    update(notifications).where(_columns.id.in_(bindparam("ids"))).values(state=NotificationState.SENDING)
)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Messages per batch, and messages per address in 24 hours (0: unlimited).

    A probe of the transport (`is_probe`) prefers messages that have not failed yet.
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
    """Dissolve batches whose sender died before the hand-over: their messages may still be withdrawn."""
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
    """Claim what may be sent now; repeats while everything that it finds is withdrawn."""
    if rules.daily_cap:
        serialise(connection, "daily cap")
    while rows := _compatible(_pending(connection, now, rules.batch_size, query)):
        objections = _objections(connection, rows, now, rules.daily_cap)
        if objections:
            withdrawn = [
                {"notification_id": notification_id, "reason": reason, "completed_at_ms": to_ms(now)}
                for notification_id, reason in objections.items()
            ]
            connection.execute(_WITHDRAW, withdrawn)
        rows = [row for row in rows if row["id"] not in objections]
        held = [row["id"] for row in rows if _is_unconfirmed(row)]
        if held:
            connection.execute(_HOLD, {"ids": held, "due_at_ms": to_ms(now + _UNTIL_CONFIRMED)})
        leaving = [row for row in rows if row["id"] not in held]
        if leaving:
            _update_instructors(connection, leaving)
            return _make_batch(connection, [row["id"] for row in leaving], leaving[0]["starts"], now)
    return None


def _compatible(rows: list[RowMapping]) -> list[RowMapping]:
    """Which of `rows` leave together: what a sender died with, or what was put off, leaves alone."""
    return rows[:1] if rows and _is_sent_alone(rows[0]) else [row for row in rows if not _is_sent_alone(row)]


def _is_sent_alone(row: RowMapping) -> bool:
    return bool(row["starts"] or row["deferrals"])


def _objections(
    connection: Connection, rows: Iterable[RowMapping], now: datetime, daily_cap: int
) -> dict[int, str]:
    """The reason for each notification that must be withdrawn."""
    rows, found = list(rows), {}
    sent = _sent_lately(connection, {row["email"] for row in rows}, now) if daily_cap else Counter()
    for row in rows:
        reason = _objection(row, to_ms(now))
        if reason is None and daily_cap and not _is_term_ending(row) and sent[row["email"]] >= daily_cap:
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
    batch_id = int(connection.execute(_INSERT, row).scalar_one())
    connection.execute(_START_SENDING, {"ids": notification_ids, "mail_batch_id": batch_id})
    return batch_id


def _pending(connection: Connection, now: datetime, limit: int, query: Select[Any]) -> list[RowMapping]:
    return list(connection.execute(query, {"now_ms": to_ms(now), "most": limit}).mappings())


def _objection(row: RowMapping, now_ms: int) -> str | None:
    """Why this notification must be withdrawn, or None."""
    if row["is_opted_out"]:
        return OPTED_OUT
    if row["suppressed"] is not None:
        return f"mail to the address is suppressed ({row['suppressed']})"
    if _is_term_ending(row):
        return None  # it covers every watch that ended with its term, whatever is listed since
    if row["ended_at_ms"] is not None:
        return f"the watch has ended ({row['ended_reason']})"
    if (row["paused_until_ms"] or 0) > now_ms:
        return "the watch is paused"
    unsent = UnsentNotification(
        watch_of(row), NotificationKind(row["kind"]), row["episode"], row["facts"]["instructor"]
    )
    return outdated(unsent, SectionSnapshot(**{name: row[name] for name in _SNAPSHOT_FIELDS}))


def _is_term_ending(row: RowMapping) -> bool:
    """Whether it is the one message about the end of a term. It is never sent again, so no cap applies."""
    return "ended_watches" in row["facts"]


def _is_unconfirmed(row: RowMapping) -> bool:
    """Whether the source shows no seats any more, which further checks must confirm.

    The state keeps the previous seats until then, so a message would state them as current.
    """
    return row["kind"] in _STATES_SEATS and not _HIDES_SEATS.isdisjoint(row["anomalies"] or ())


def _update_instructors(connection: Connection, rows: Iterable[RowMapping]) -> None:
    """Name the current instructor if another one has replaced the assigned one."""
    for row in rows:
        if (
            row["kind"] == NotificationKind.INSTRUCTOR_ASSIGNED
            and row["facts"]["instructor"] != row["instructor"]
        ):
            facts = row["facts"] | {"instructor": row["instructor"]}
            connection.execute(
                _UPDATE_FACTS,
                {"notification_id": row["id"], "facts": facts, "observed_at_ms": row["observed_at_ms"]},
            )
