"""The notifications that changes cause, written in the transaction that writes the changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, case, func, insert, select, tuple_, update

from domain.changes import Change, SectionState
from domain.notice import Notice, NoticeState
from domain.observation import Details
from domain.section import SectionKey
from domain.watch import Kind, Watch, kind_of
from store.moments import from_ms, to_ms
from store.schema import notifications, sections, watches

News = tuple[int, SectionState, Change]


@dataclass(frozen=True, slots=True)
class _Told:
    """What a watch was last told of one kind: the newest episode, and when a letter last left."""

    episode: int = -1
    left_ms: int | None = None


def add(connection: Connection, news: Sequence[News], now: datetime, cooldown: timedelta) -> int:
    """Write the notifications that `news` (section row id, its state, what changed) is to its watches.

    Each watch is notified once per kind and episode. Within `cooldown` of the last letter of its kind a
    notification waits for the rest of it, in place of any that still waits; how many were written.
    """
    if not news:
        return 0
    told_of: dict[int, list[News]] = {}
    for item in news:
        told_of.setdefault(item[0], []).append(item)
    found = _living(connection, told_of)
    told = _already_told(connection, [row["watch_id"] for row in found], to_ms(now))
    rows = [
        _row(watch["watch_id"], state, change, now, cooldown, last)
        for watch in found
        for _, state, change in told_of[watch["section_id"]]
        if _watch(watch).wants(change)
        for last in [told.get((watch["watch_id"], kind_of(change)), _Told())]
        if change.episode > last.episode
    ]
    if rows:
        if cooldown:
            _supersede(connection, rows, now)
        connection.execute(insert(notifications), rows)
    return len(rows)


def notice_of(row: RowMapping) -> Notice:
    """The notice that a row of `notifications`, joined with its watch and section, holds."""
    facts = row["facts"]
    return Notice(
        id=row["id"],
        watch_id=row["watch_id"],
        email=row["email"],
        kind=Kind(row["kind"]),
        key=SectionKey(row["source"], row["term"], row["number"]),
        episode=row["episode"],
        observed_at=from_ms(row["observed_at_ms"]),
        open_seats=facts["open_seats"],
        capacity=facts["capacity"],
        instructor=facts["instructor"],
        details=Details(**facts["details"]),
    )


def _living(connection: Connection, section_ids: Any) -> list[RowMapping]:
    query = (
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
        .where(watches.c.section_id.in_(list(section_ids)), watches.c.ended_at_ms.is_(None))
        .order_by(watches.c.id)
    )
    return list(connection.execute(query).mappings())


def _watch(row: RowMapping) -> Watch:
    key = SectionKey(row["source"], row["term"], row["number"])
    return Watch(row["email"], key, tuple(map(Kind, row["kinds"])), row["min_seats"])


def _already_told(connection: Connection, watch_ids: list[int], now_ms: int) -> dict[tuple[int, Kind], _Told]:
    columns = notifications.c
    left_ms = case((columns.state == NoticeState.SENDING, now_ms), else_=columns.sent_at_ms)
    query = (
        select(columns.watch_id, columns.kind, func.max(columns.episode), func.max(left_ms))
        .where(columns.watch_id.in_(watch_ids))
        .group_by(columns.watch_id, columns.kind)
    )
    return {(row[0], Kind(row[1])): _Told(row[2], row[3]) for row in connection.execute(query)}


def _row(
    watch_id: int, state: SectionState, change: Change, now: datetime, cooldown: timedelta, last: _Told
) -> dict[str, Any]:
    assert state.observed_at is not None, "a state that changed was observed"  # noqa: S101
    quiet_until = 0 if last.left_ms is None else last.left_ms + cooldown // timedelta(milliseconds=1)
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
        "state": NoticeState.PENDING,
        "facts": facts,
        "observed_at_ms": to_ms(state.observed_at),
        "created_at_ms": to_ms(now),
        "due_at_ms": max(to_ms(now), quiet_until),
    }


def _supersede(connection: Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """A newer episode takes the place of one whose letter has not left, so that two never leave together."""
    columns = notifications.c
    newer = [(row["watch_id"], row["kind"]) for row in rows]
    replaced = {
        "state": NoticeState.SUPPRESSED,
        "reason": "a newer change took its place",
        "settled_at_ms": to_ms(now),
    }
    connection.execute(
        update(notifications)
        .where(tuple_(columns.watch_id, columns.kind).in_(newer), columns.state == NoticeState.PENDING)
        .values(replaced)
    )
