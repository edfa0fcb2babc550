"""Creates the notifications that events cause, in the transaction that writes the events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    RowMapping,
    bindparam,
    case,
    func,
    insert,
    select,
    tuple_,
    update,
)

from domain.notification import Notification, NotificationState
from domain.notification_policy import GONE_AGAIN, NEVER, Notified, due_at, skip_reason
from domain.observation import Details
from domain.section import SectionKey
from domain.section_state import InstructorAssigned, SectionEvent, SectionState
from domain.watch import NotificationKind, Watch, kind_of
from store.database import from_ms, from_ms_or_none, to_ms
from store.schema import notifications, sections, watches

News = tuple[int, SectionState, SectionEvent]

_is_paused = func.coalesce(watches.c.paused_until_ms, 0) > bindparam("now_ms")
# The watches of sections that have neither ended nor are paused.
_ACTIVE_WATCHES = (
    select(
        watches.c.id.label("watch_id"),
        watches.c.section_id,
        watches.c.email,
        watches.c.kinds,
        watches.c.min_seats,
        sections.c.source,
        sections.c.term,
        sections.c.number,
    )
    .join(sections)
    .where(watches.c.section_id.in_(bindparam("section_ids")), watches.c.ended_at_ms.is_(None), ~_is_paused)
    .order_by(watches.c.id)
)
_columns = notifications.c
_sent_ms = case(
    (_columns.state == NotificationState.SENDING, bindparam("now_ms", type_=BigInteger)),
    else_=_columns.sent_at_ms,
)
_is_withdrawn = (_columns.state == NotificationState.SUPPRESSED) & (_columns.reason == GONE_AGAIN)
_withdrawn_episode = func.max(case((_is_withdrawn, _columns.episode), else_=-1))
_NOTIFIED = (
    select(
        _columns.watch_id, _columns.kind, func.max(_columns.episode), func.max(_sent_ms), _withdrawn_episode
    )
    .where(_columns.watch_id.in_(bindparam("watch_ids")))
    .group_by(_columns.watch_id, _columns.kind)
)
# Wait for what is being claimed for sending at this moment; otherwise its state would be stale below.
_LOCK_PENDING = (
    select(_columns.id)
    .where(_columns.watch_id.in_(bindparam("watch_ids")), _columns.state == NotificationState.PENDING)
    .order_by(_columns.id)
    .with_for_update()
)
_SUPERSEDE = (
    update(notifications)
    .where(
        tuple_(_columns.watch_id, _columns.kind).in_(bindparam("newer")),
        _columns.state == NotificationState.PENDING,
    )
    .values(
        state=NotificationState.SUPPRESSED,
        reason="superseded by a newer change",
        completed_at_ms=bindparam("completed_at_ms"),
    )
)
_REQUEUE = update(notifications).where(
    _columns.watch_id == bindparam("of_watch"),
    _columns.kind == bindparam("of_kind"),
    _columns.episode == bindparam("of_episode"),
    _is_withdrawn,
)
# The instructors of which each watch was notified, the latest last.
_NAMED = (
    select(_columns.watch_id, _columns.facts["instructor"].as_string())
    .where(
        _columns.watch_id.in_(bindparam("watch_ids")),
        _columns.kind == NotificationKind.INSTRUCTOR_ASSIGNED,
        _columns.state.not_in([NotificationState.SUPPRESSED, NotificationState.DEAD]),
    )
    .order_by(_columns.episode)
)
_Stream = tuple[int, NotificationKind]
"""The key of a sequence of notifications: a watch and a kind."""


def create(connection: Connection, news: Sequence[News], now: datetime, cooldown: timedelta) -> int:
    """Write the notifications that `news` (section row id, its state, the event) causes; return their number.

    Each watch is notified once per kind and episode, and not while it is paused. Within `cooldown` of the
    last message of its kind a notification waits, and supersedes any that is still waiting. One withdrawn as
    `GONE_AGAIN` is requeued when its opening has enough seats again.
    """
    if not news:
        return 0
    changes: dict[int, list[News]] = defaultdict(list)
    for item in news:
        changes[item[0]].append(item)
    found = _active_watches(connection, changes, to_ms(now))
    names = any(isinstance(change, InstructorAssigned) for _, _, change in news)
    notified = _notified(connection, [row["watch_id"] for row in found], to_ms(now), names=names)
    rows = [
        _row(watch["watch_id"], state, change, now, due_at(last, now, cooldown))
        for watch in found
        for _, state, change in changes[watch["section_id"]]
        for last in [notified.get((watch["watch_id"], kind_of(change)), NEVER)]
        if skip_reason(_watch(watch), change, last) is None
    ]
    if rows and cooldown:
        _supersede(connection, rows, now)
    _write(connection, rows, notified)
    return len(rows)


def notification_of(row: RowMapping) -> Notification:
    """The notification in a row of `notifications` joined with its watch and section."""
    facts = row["facts"]
    return Notification(
        id=row["id"],
        watch_id=row["watch_id"],
        email=row["email"],
        kind=NotificationKind(row["kind"]),
        key=SectionKey(row["source"], row["term"], row["number"]),
        episode=row["episode"],
        observed_at=from_ms(row["observed_at_ms"]),
        open_seats=facts["open_seats"],
        capacity=facts["capacity"],
        instructor=facts["instructor"],
        details=Details(**facts["details"]),
        ended_watches=facts.get("ended_watches", 0),
    )


def _active_watches(connection: Connection, section_ids: Any, now_ms: int) -> list[RowMapping]:
    of_sections = {"section_ids": list(section_ids), "now_ms": now_ms}
    return list(connection.execute(_ACTIVE_WATCHES, of_sections).mappings())


def _watch(row: RowMapping) -> Watch:
    key = SectionKey(row["source"], row["term"], row["number"])
    return Watch(row["email"], key, tuple(map(NotificationKind, row["kinds"])), row["min_seats"])


def _notified(
    connection: Connection, watch_ids: list[int], now_ms: int, *, names: bool
) -> dict[_Stream, Notified]:
    """What each watch has been notified of; with `names`, also the instructor last named to it."""
    these = {"watch_ids": watch_ids}
    if connection.dialect.name != "sqlite":  # SQLite has a single writer anyway
        connection.execute(_LOCK_PENDING, these).all()
    named: dict[int, str] = {}
    if names:
        named = {row[0]: row[1] for row in connection.execute(_NAMED, these)}
    return {
        (watch_id, NotificationKind(kind)): Notified(
            episode,
            withdrawn,
            from_ms_or_none(left_ms),
            named.get(watch_id) if kind == NotificationKind.INSTRUCTOR_ASSIGNED else None,
        )
        for watch_id, kind, episode, left_ms, withdrawn in connection.execute(
            _NOTIFIED, these | {"now_ms": now_ms}
        )
    }


def _row(
    watch_id: int, state: SectionState, change: SectionEvent, now: datetime, due: datetime
) -> dict[str, Any]:
    assert state.observed_at is not None, "a state that changed was observed"  # noqa: S101
    facts = {
        "open_seats": state.open_seats,
        "capacity": state.capacity,
        "instructor": state.instructor,
        "details": asdict(state.details),
    }
    return {
        "watch_id": watch_id,
        "kind": kind_of(change),
        "episode": change.episode,
        "state": NotificationState.PENDING,
        "facts": facts,
        "observed_at_ms": to_ms(state.observed_at),
        "created_at_ms": to_ms(now),
        "due_at_ms": to_ms(due),
    }


def _write(connection: Connection, rows: Sequence[dict[str, Any]], notified: dict[_Stream, Notified]) -> None:
    requeued = [row for row in rows if notified.get(_stream(row), NEVER).is_withdrawn(row["episode"])]
    new = [row for row in rows if row not in requeued]
    if new:
        connection.execute(insert(notifications), new)
    if requeued:
        cleared = {"reason": None, "completed_at_ms": None}
        connection.execute(_REQUEUE, [row | _identity(row) | cleared for row in requeued])


def _stream(row: dict[str, Any]) -> _Stream:
    return row["watch_id"], row["kind"]


def _identity(row: dict[str, Any]) -> dict[str, Any]:
    return {f"of_{name}": row[name] for name in ("episode", "kind")} | {"of_watch": row["watch_id"]}


def _supersede(connection: Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """A newer episode supersedes one that is not sent yet, so that two are never sent together."""
    newer = [_stream(row) for row in rows]
    connection.execute(_SUPERSEDE, {"newer": newer, "completed_at_ms": to_ms(now)})
