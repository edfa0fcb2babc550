"""New sections of polled catalogs: each is watched by those who watch its course."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from domain.observation import Observation
from domain.section_state import SectionAdded, SectionState
from domain.term import Term
from domain.watch import NotificationKind, course_id
from store.database import chunks, insert_new, to_ms
from store.notifications.create import facts_of, row_of
from store.schema import course_watches, notifications, watches
from store.sections.states import load
from store.watch_import import WatchRequest, add_many

_columns = course_watches.c
_WITH_BASELINE = select(course_watches).where(
    _columns.source == bindparam("of_source"),
    _columns.term == bindparam("of_term"),
    _columns.ended_at_ms.is_(None),
    _columns.baseline_at_ms.is_not(None),
)
_MADE = select(
    watches.c.id.label("watch_id"), watches.c.section_id, watches.c.email, watches.c.paused_until_ms
).where(
    watches.c.section_id.in_(bindparam("section_ids", expanding=True)),
    watches.c.email.in_(bindparam("emails", expanding=True)),
    watches.c.ended_at_ms.is_(None),
)


def sections_added(connection: Connection, seen: Sequence[Observation], now: datetime) -> int:
    """Watch the sections `seen`, which are listed for the first time, for those who watch their courses.

    The sections are stored already. Returns the number of notifications: one for each person and section.
    """
    by_term: dict[Term, list[Observation]] = {}
    for each in seen:
        by_term.setdefault((each.key.source, each.key.term), []).append(each)
    return sum(_added(connection, term, new, now) for term, new in sorted(by_term.items()))


def _added(connection: Connection, term: Term, new: Sequence[Observation], now: datetime) -> int:
    this = {"of_source": term[0], "of_term": term[1]}
    by_course: dict[str, list[RowMapping]] = {}
    for row in connection.execute(_WITH_BASELINE, this).mappings():
        by_course.setdefault(course_id(row["course"]), []).append(row)
    wanted = [
        (row, each)
        for each in new
        if each.details.course
        for row in by_course.get(course_id(each.details.course), ())
    ]
    if not wanted:
        return 0
    _correct_spelling(connection, wanted)
    known = load(connection, sorted({each.key for _, each in wanted}))
    existing = set(_watches(connection, known.values(), wanted))
    requests = [
        _request(row, each) for row, each in wanted if (known[each.key][0], row["email"]) not in existing
    ]
    add_many(connection, requests, now)
    made = _watches(connection, known.values(), wanted)
    return sum(
        _announce(connection, row, known[each.key][1], made.get((known[each.key][0], row["email"])), now)
        for row, each in wanted
    )


def _correct_spelling(connection: Connection, wanted: Iterable[tuple[RowMapping, Observation]]) -> None:
    """Write the courses of watches as their catalog writes them: nothing was known when they were made."""
    for row, each in wanted:
        if row["course"] != each.details.course:
            query = update(course_watches).where(_columns.id == row["id"])
            connection.execute(query.values(course=each.details.course))


def _request(row: RowMapping, seen: Observation) -> WatchRequest:
    return WatchRequest(
        email=row["email"],
        key=seen.key,
        kinds=tuple(map(NotificationKind, row["kinds"])),
        min_seats=row["min_seats"],
        unreserved_only=row["unreserved_only"],
        max_waitlist=row["max_waitlist"],
        course_watch_id=row["id"],
    )


def _watches(
    connection: Connection,
    known: Iterable[tuple[int, SectionState]],
    wanted: Iterable[tuple[RowMapping, Observation]],
) -> dict[tuple[int, str], RowMapping]:
    """The active watches of these people on these sections, by section and address."""
    section_ids, emails = {row_id for row_id, _ in known}, sorted({row["email"] for row, _ in wanted})
    found: dict[tuple[int, str], RowMapping] = {}
    for chunk in chunks(emails):
        rows = connection.execute(_MADE, {"section_ids": sorted(section_ids), "emails": chunk}).mappings()
        found |= {(row["section_id"], row["email"]): row for row in rows}
    return found


def _announce(
    connection: Connection,
    course_watch: RowMapping,
    state: SectionState,
    watch: RowMapping | None,
    now: datetime,
) -> bool:
    """Write the notification of a new section; False if it is not wanted, or was written before."""
    if watch is None or NotificationKind.SECTION_ADDED not in course_watch["kinds"]:
        return False
    if (watch["paused_until_ms"] or 0) > to_ms(now):
        return False
    about = {"watch_id": watch["watch_id"], "course_watch_id": course_watch["id"]}
    row = row_of(about, state, SectionAdded(), facts_of(state), now=now, due=now)
    return insert_new(connection, notifications, row)
