"""The notifications that changes cause, written in the transaction that writes the changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
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

from domain.changes import Change, SectionState
from domain.notice import Notice, NoticeState
from domain.observation import Details
from domain.section import SectionKey
from domain.watch import Kind, Watch, kind_of
from store.moments import from_ms, to_ms
from store.schema import notifications, sections, watches

News = tuple[int, SectionState, Change]

_is_paused = func.coalesce(watches.c.paused_until_ms, 0) > bindparam("now_ms")
# The watches of sections that have neither ended nor are paused.
_LISTENING = (
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
GONE_AGAIN = "the seats were gone again when the cooldown was over"
"""Why a notification was called off that its own opening may bring back."""

_notice = notifications.c
_left_ms = case(
    (_notice.state == NoticeState.SENDING, bindparam("now_ms", type_=BigInteger)), else_=_notice.sent_at_ms
)
_is_gone = (_notice.state == NoticeState.SUPPRESSED) & (_notice.reason == GONE_AGAIN)
_gone = func.max(case((_is_gone, _notice.episode), else_=-1))
_TOLD = (
    select(_notice.watch_id, _notice.kind, func.max(_notice.episode), func.max(_left_ms), _gone)
    .where(_notice.watch_id.in_(bindparam("watch_ids")))
    .group_by(_notice.watch_id, _notice.kind)
)
_SUPERSEDE = (
    update(notifications)
    .where(
        tuple_(_notice.watch_id, _notice.kind).in_(bindparam("newer")), _notice.state == NoticeState.PENDING
    )
    .values(
        state=NoticeState.SUPPRESSED,
        reason="a newer change took its place",
        settled_at_ms=bindparam("settled_at_ms"),
    )
)


_BRING_BACK = update(notifications).where(
    _notice.watch_id == bindparam("of_watch"),
    _notice.kind == bindparam("of_kind"),
    _notice.episode == bindparam("of_episode"),
    _is_gone,
)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a watch was last told of one kind: the newest episode, when a letter last left, what was gone."""

    episode: int = -1
    left_ms: int | None = None
    gone_episode: int = -1

    def is_behind(self, episode: int) -> bool:
        """Whether `episode` is news."""
        return episode > self.episode or self.is_back(episode)

    def is_back(self, episode: int) -> bool:
        """Whether `episode` was called off because its seats were gone, and is news once more."""
        return episode == self.episode == self.gone_episode


def add(connection: Connection, news: Sequence[News], now: datetime, cooldown: timedelta) -> int:
    """Write the notifications that `news` (section row id, its state, what changed) is to its watches.

    Each watch is notified once per kind and episode, and not at all while it is paused. Within `cooldown` of
    the last letter of its kind a notification waits for the rest of it, in place of any that still waits; one
    that was called off as `GONE_AGAIN` waits anew when its opening has enough seats again. How many were
    written.
    """
    if not news:
        return 0
    told_of: dict[int, list[News]] = {}
    for item in news:
        told_of.setdefault(item[0], []).append(item)
    found = _listening(connection, told_of, to_ms(now))
    told = _already_told(connection, [row["watch_id"] for row in found], to_ms(now))
    rows = [
        _row(watch["watch_id"], state, change, now, cooldown, last)
        for watch in found
        for _, state, change in told_of[watch["section_id"]]
        if _watch(watch).wants(change)
        for last in [told.get((watch["watch_id"], kind_of(change)), _Told())]
        if last.is_behind(change.episode)
    ]
    if rows and cooldown:
        _supersede(connection, rows, now)
    _write(connection, rows, told)
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


def _listening(connection: Connection, section_ids: Any, now_ms: int) -> list[RowMapping]:
    of_sections = {"section_ids": list(section_ids), "now_ms": now_ms}
    return list(connection.execute(_LISTENING, of_sections).mappings())


def _watch(row: RowMapping) -> Watch:
    key = SectionKey(row["source"], row["term"], row["number"])
    return Watch(row["email"], key, tuple(map(Kind, row["kinds"])), row["min_seats"])


def _already_told(connection: Connection, watch_ids: list[int], now_ms: int) -> dict[tuple[int, Kind], _Told]:
    rows = connection.execute(_TOLD, {"watch_ids": watch_ids, "now_ms": now_ms})
    return {(row[0], Kind(row[1])): _Told(*row[2:]) for row in rows}


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


def _write(
    connection: Connection, rows: Sequence[dict[str, Any]], told: dict[tuple[int, Kind], _Told]
) -> None:
    back = [row for row in rows if told.get(_line(row), _Told()).is_back(row["episode"])]
    new = [row for row in rows if row not in back]
    if new:
        connection.execute(insert(notifications), new)
    if back:
        again = {"reason": None, "settled_at_ms": None}
        connection.execute(_BRING_BACK, [row | _identity(row) | again for row in back])


def _line(row: dict[str, Any]) -> tuple[int, Kind]:
    return row["watch_id"], row["kind"]


def _identity(row: dict[str, Any]) -> dict[str, Any]:
    return {f"of_{name}": row[name] for name in ("episode", "kind")} | {"of_watch": row["watch_id"]}


def _supersede(connection: Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """A newer episode takes the place of one whose letter has not left, so that two never leave together."""
    newer = [_line(row) for row in rows]
    connection.execute(_SUPERSEDE, {"newer": newer, "settled_at_ms": to_ms(now)})
