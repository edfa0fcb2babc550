"""Creates the notifications that events cause, in the transaction that writes the events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    RowMapping,
    Text,
    bindparam,
    case,
    cast,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from domain.notification import Notification, NotificationState
from domain.notification_policy import NEVER, RESTORABLE, Notified, due_at, skip_reason
from domain.observation import Details, SectionStatus
from domain.section import SectionKey
from domain.section_state import InstructorAssigned, SectionEvent, SectionState
from domain.watch import NotificationKind, kind_of
from store.database import from_ms, from_ms_or_none, to_ms, to_ms_or_none
from store.schema import notifications, sections, watches
from store.watch_import import WATCH_COLUMNS, watch_of

News = tuple[int, SectionState, SectionEvent]

# Few watches want these, and their events are frequent.
_OPT_IN = frozenset({NotificationKind.SEAT_FILLED, NotificationKind.WAITLIST_AVAILABLE})
_is_paused = func.coalesce(watches.c.paused_until_ms, 0) > bindparam("now_ms")
# The watches of sections that have neither ended nor are paused.
_ACTIVE_WATCHES = (
    select(watches.c.id.label("watch_id"), watches.c.section_id, watches.c.course_watch_id, *WATCH_COLUMNS)
    .select_from(watches.join(sections))
    .where(watches.c.section_id.in_(bindparam("section_ids")), watches.c.ended_at_ms.is_(None), ~_is_paused)
    .order_by(watches.c.id)
)
_wants_opt_in = or_(*(cast(watches.c.kinds, Text).contains(f'"{kind}"') for kind in _OPT_IN))
_ACTIVE_OPT_IN = _ACTIVE_WATCHES.where(_wants_opt_in)
_columns = notifications.c
_sent_ms = case(
    (_columns.state == NotificationState.SENDING, bindparam("now_ms", type_=BigInteger)),
    else_=_columns.sent_at_ms,
)
_is_withdrawn = (_columns.state == NotificationState.SUPPRESSED) & _columns.reason.in_(RESTORABLE)
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
    last message of its kind a notification waits, and supersedes any that is still waiting. One withdrawn for
    a `RESTORABLE` reason is requeued when its opening satisfies the watch again.
    """
    if not news:
        return 0
    changes: dict[int, list[News]] = defaultdict(list)
    for item in news:
        changes[item[0]].append(item)
    found = _active_watches(connection, changes, to_ms(now))
    names = any(isinstance(change, InstructorAssigned) for _, _, change in news)
    notified = _notified(connection, [row["watch_id"] for row in found], to_ms(now), names=names)
    facts = {row_id: facts_of(of_section[0][1]) for row_id, of_section in changes.items()}
    rows = [
        row_of(watch, state, change, facts[watch["section_id"]], now=now, due=due_at(last, now, cooldown))
        for watch in found
        for _, state, change in changes[watch["section_id"]]
        for last in [notified.get((watch["watch_id"], kind_of(change)), NEVER)]
        if skip_reason(watch_of(watch), change, last) is None
    ]
    if rows and cooldown:
        _supersede(connection, rows, now)
    _write(connection, rows, notified)
    return len(rows)


def notification_of(row: RowMapping) -> Notification:
    """The notification in a row of `notifications` joined with its watch and section."""
    facts = row["facts"]
    status = facts.get("status")
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
        status=None if status is None else SectionStatus(status),
        is_counted=facts.get("is_counted", True),
        unreserved_seats=facts.get("unreserved_seats"),
        waitlist_places=facts.get("waitlist_places"),
        waitlist_length=facts.get("waitlist_length"),
        as_of=from_ms_or_none(facts.get("as_of_ms")),
        course_watch_id=facts.get("course_watch_id"),
    )


def facts_of(state: SectionState) -> dict[str, Any]:
    """What a message states about a section; only polled catalogs state the facts that may be absent."""
    stated = {
        "status": state.status,
        "is_counted": None if state.is_counted else False,
        "unreserved_seats": state.unreserved_seats,
        "waitlist_places": state.waitlist_places,
        "waitlist_length": state.waitlist_length,
        "as_of_ms": to_ms_or_none(state.as_of),
    }
    return {
        "open_seats": state.open_seats,
        "capacity": state.capacity,
        "instructor": state.instructor,
        "details": asdict(state.details),
        **{name: value for name, value in stated.items() if value is not None},
    }


def _active_watches(
    connection: Connection, changes: Mapping[int, Sequence[News]], now_ms: int
) -> list[RowMapping]:
    """The watches that may want `changes`, by section."""
    rare = {row_id for row_id, news in changes.items() if _OPT_IN.issuperset(kind_of(e) for _, _, e in news)}
    found: list[RowMapping] = []
    for query, section_ids in ((_ACTIVE_WATCHES, changes.keys() - rare), (_ACTIVE_OPT_IN, rare)):
        if section_ids:
            of_sections = {"section_ids": sorted(section_ids), "now_ms": now_ms}
            found += connection.execute(query, of_sections).mappings()
    return found


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


def row_of(
    watch: Mapping[Any, Any],
    state: SectionState,
    change: SectionEvent,
    facts: dict[str, Any],
    *,
    now: datetime,
    due: datetime,
) -> dict[str, Any]:
    """A new row of `notifications`; `watch` holds its `watch_id` and `course_watch_id`."""
    assert state.observed_at is not None, "a state that changed was observed"  # noqa: S101
    if watch["course_watch_id"] is not None:
        facts = facts | {"course_watch_id": watch["course_watch_id"]}
    return {
        "watch_id": watch["watch_id"],
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
