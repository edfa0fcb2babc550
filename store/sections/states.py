"""Sections: the state of each, its history, and which sections are due."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from domain.history import HistoryEntry, in_sequence
from domain.observation import Details, SectionStatus
from domain.section import SectionKey, Stagger
from domain.section_state import Anomaly, SectionState
from domain.term import Term
from store.database import (
    TOLERANCE,
    Database,
    chunks,
    from_ms,
    from_ms_or_none,
    insert_new,
    to_ms,
    to_ms_or_none,
)
from store.schema import section_history, sections, watches

_HISTORY_LIMIT = 500
# As in `domain.section_state.advance`: what a section that was retired has open is news.
_LISTED_AGAIN = {
    "retired": False,
    "misses": 0,
    "missing_since_ms": None,
    "open_seats": 0,
    "digest": None,
}
LOOK_AGAIN_AFTER = timedelta(days=1)
RETIRED_AT_ONCE = 100
"""How many retired sections one run checks again; they compete with listed sections for requests."""
# By id, because few of the sections of a polled catalog are watched.
IS_WATCHED = sections.c.id.in_(select(watches.c.section_id).where(watches.c.ended_at_ms.is_(None)))
_SAVED = (
    "revision",
    "observed_at_ms",
    "open_seats",
    "unreserved_seats",
    "capacity",
    "instructor",
    "course",
    "title",
    "location",
    "meeting_times",
    "openings",
    "assignments",
    "misses",
    "retirements",
    "retired",
    "anomalies",
    "missing_since_ms",
    "status",
    "is_counted",
    "waitlist_places",
    "waitlist_length",
    "waitlist_openings",
    "fillings",
    "as_of_ms",
)
_SHOWN = (  # of each observation, in the history
    "open_seats",
    "capacity",
    "instructor",
    "is_counted",
    "unreserved_seats",
    "waitlist_places",
    "waitlist_length",
)
_shown = attrgetter(*_SHOWN)
_TOUCHED = ("revision", "observed_at")  # by every answer
_facts = attrgetter(*(each.name for each in fields(SectionState) if each.name not in _TOUCHED))
_UPDATE = update(sections).where(sections.c.id == bindparam("row_id"))
_SAVE = _UPDATE.values({name: bindparam(name) for name in _SAVED})
_SAVE_LISTED = _SAVE.values(digest=bindparam("digest"))
_TOUCH = _UPDATE.values(revision=bindparam("revision"), observed_at_ms=bindparam("observed_at_ms"))
_IS_OF_SOURCES = sections.c.source.in_(bindparam("sources"))
_KEY = (sections.c.source, sections.c.term, sections.c.number)
_DUE = select(*_KEY).where(IS_WATCHED, sections.c.retired.is_(False), _IS_OF_SOURCES)
# Not checked since then; a time ahead of the clock counts as never checked.
_LOOK_AGAIN = (
    select(*_KEY)
    .where(
        IS_WATCHED,
        sections.c.retired,
        _IS_OF_SOURCES,
        ~func.coalesce(sections.c.observed_at_ms, 0).between(bindparam("since_ms"), bindparam("now_ms")),
    )
    .order_by(sections.c.observed_at_ms)
    .limit(RETIRED_AT_ONCE)
)
_LOAD = select(sections).where(
    sections.c.source == bindparam("source"),
    sections.c.term == bindparam("term"),
    sections.c.number.in_(bindparam("numbers")),
)
_LOCK = _LOAD.order_by(sections.c.id).with_for_update()
_ANOMALIES = select(sections.c.anomalies).where(
    sections.c.source == bindparam("source"),
    sections.c.term == bindparam("term"),
    sections.c.anomalies.is_not(None),
    sections.c.retired.is_(False),
    IS_WATCHED,  # unwatched sections are not checked, so their anomalies never end
)
_REVISIONS = _LOAD.with_only_columns(sections.c.number, sections.c.revision)


_IS_NEVER_SEEN = and_(
    *(sections.c[name].is_(None) for name in ("open_seats", "capacity", "instructor")),
    *(sections.c[name] == "" for name in ("course", "title", "location", "meeting_times")),
)
_UNKNOWN = (
    select(sections.c.source, func.count(), func.min(sections.c.term + "/" + sections.c.number))
    .where(sections.c.missing_since_ms.is_not(None), _IS_NEVER_SEEN, IS_WATCHED)
    .group_by(sections.c.source)
)


@dataclass(frozen=True, slots=True)
class UnknownSections:
    """How many watched sections a source does not know, and one of them, as term/number."""

    count: int
    example: str


class Sections:
    """Reading sections; what writes them is `store.runs.batches`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, stagger: Stagger, sources: Iterable[str], now: datetime) -> list[SectionKey]:
        """The watched sections of `sources` with the parity of `stagger`.

        Retired ones are due once a day, least recently checked first: they may be listed again.
        """
        queries = [_DUE, _LOOK_AGAIN]
        if stagger is not Stagger.ALL:
            is_of_half = sections.c.is_even.is_(stagger is Stagger.EVEN)
            queries = [query.where(is_of_half) for query in queries]
        values = {"sources": list(sources), "since_ms": to_ms(now - LOOK_AGAIN_AFTER), "now_ms": to_ms(now)}
        with self._database.read() as connection:
            return [SectionKey(*row) for query in queries for row in connection.execute(query, values)]

    def suspects(self, sources: Iterable[str]) -> set[SectionKey]:
        """The sections of `sources` that had no answer in their last run, while others had."""
        query = select(*_KEY).where(sections.c.failures > 0, _IS_OF_SOURCES)
        with self._database.read() as connection:
            return {SectionKey(*row) for row in connection.execute(query, {"sources": list(sources)})}

    def get(self, key: SectionKey) -> SectionState | None:
        """The state of `key`, or None if it was never watched."""
        with self._database.read() as connection:
            return next((state for _, state in load(connection, [key], lock=False).values()), None)

    def history(self, key: SectionKey) -> list[HistoryEntry]:
        """The latest changes of `key`, newest first."""
        query = (
            select(section_history, sections.c.observed_at_ms.label("until_ms"))
            .join(sections)
            .where(is_section(key))
            .order_by(section_history.c.id.desc())
            .limit(_HISTORY_LIMIT)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        until = from_ms_or_none(rows[0]["until_ms"]) if rows else None
        found = [history_entry(row) for row in reversed(rows)]
        return in_sequence(found, until)[::-1]

    def unchecked(self, keys: Iterable[SectionKey]) -> list[SectionKey]:
        """Those of `keys` that are watched, and of which nothing was ever heard, in their order."""
        with self._database.read() as connection:
            found = [
                state
                for chunk in chunks(sorted(keys))
                for _, state in load(connection, chunk, lock=False).values()
            ]
        return sorted(state.key for state in found if not state.revision)

    def unknown(self) -> dict[str, UnknownSections]:
        """Of each source the watched sections that it has missed and never listed; cheap where none is."""
        with self._database.read() as connection:
            return {row[0]: UnknownSections(row[1], row[2]) for row in connection.execute(_UNKNOWN)}

    def last_success(self, now: datetime) -> dict[str, datetime]:
        """When each source last returned an observation of any section.

        Times ahead of `now`, which a wrong clock stamped, say nothing: they would hide a silence.
        """
        observed_at_ms = sections.c.observed_at_ms
        query = select(sections.c.source, func.max(observed_at_ms)).group_by(sections.c.source)
        query = query.where(observed_at_ms <= to_ms(now + TOLERANCE))
        with self._database.read() as connection:
            return {source: from_ms(at) for source, at in connection.execute(query)}


def load(
    connection: Connection, keys: Sequence[SectionKey], *, lock: bool = True
) -> dict[SectionKey, tuple[int, SectionState]]:
    """The row id and state of each known section of `keys`; locked, in one order, until the commit."""
    found: dict[SectionKey, tuple[int, SectionState]] = {}
    for (source, term), all_numbers in by_term(keys).items():
        for numbers in chunks(all_numbers):
            names = {"source": source, "term": term, "numbers": numbers}
            for row in connection.execute(_LOCK if lock else _LOAD, names).mappings():
                state = state_of(row)
                found[state.key] = row["id"], state
    return found


def revisions(connection: Connection, keys: Iterable[SectionKey]) -> dict[SectionKey, int]:
    """The revision of each known section of `keys`."""
    return {
        SectionKey(source, term, number): revision
        for (source, term), numbers in by_term(keys).items()
        for number, revision in connection.execute(
            _REVISIONS, {"source": source, "term": term, "numbers": numbers}
        )
    }


def anomalies_of(connection: Connection, term: Term) -> set[Anomaly]:
    """The current anomalies of the watched sections of a source's term."""
    found = connection.execute(_ANOMALIES, {"source": term[0], "term": term[1]}).scalars()
    return {Anomaly(name) for anomalies in found for name in anomalies}


def by_term(keys: Iterable[SectionKey]) -> dict[tuple[str, str], list[str]]:
    """The numbers of each source and term, in one order, so that rivals lock rows one after another."""
    numbers: dict[tuple[str, str], list[str]] = {}
    for key in sorted(keys):
        numbers.setdefault((key.source, key.term), []).append(key.number)
    return numbers


def ensure_all(connection: Connection, keys: Iterable[SectionKey]) -> dict[SectionKey, int]:
    """The row id of each key, made if new and locked until the commit; a retired section is listed again."""
    found: dict[SectionKey, int] = {}
    for chunk in chunks(sorted(set(keys))):
        found |= _ensure(connection, chunk)
    return found


def find_or_add(
    connection: Connection, keys: Sequence[SectionKey]
) -> dict[SectionKey, tuple[int, SectionState]]:
    """As `load`, with those that are new made; a retired section stays so."""
    found = load(connection, keys)
    new = [key for key in keys if key not in found]
    for key in new:
        row = {"source": key.source, "term": key.term, "number": key.number, "is_even": key.is_even}
        insert_new(connection, sections, row)
    if new:
        found |= load(connection, new)
    return found


def _ensure(connection: Connection, keys: Sequence[SectionKey]) -> dict[SectionKey, int]:
    found = find_or_add(connection, keys)
    retired = [row_id for row_id, state in found.values() if state.retired]
    if retired:
        connection.execute(update(sections).where(sections.c.id.in_(retired)).values(**_LISTED_AGAIN))
    return {key: row_id for key, (row_id, _) in found.items()}


def save(connection: Connection, before: dict[int, SectionState], after: dict[int, SectionState]) -> None:
    """Write the states that moved from `before` to `after`; what changed for people goes to the history."""
    moved = {row_id: state for row_id, state in after.items() if state != before[row_id]}
    changed = {row_id: state for row_id, state in moved.items() if _facts(before[row_id]) != _facts(state)}
    touched = [
        {"row_id": row_id, "revision": state.revision, "observed_at_ms": to_ms_or_none(state.observed_at)}
        for row_id, state in moved.items()
        if row_id not in changed
    ]
    if touched:
        connection.execute(_TOUCH, touched)
    if changed:
        connection.execute(
            _SAVE, [{"row_id": row_id, **columns_of(state)} for row_id, state in changed.items()]
        )
    write_history(connection, {row_id: (before[row_id], state) for row_id, state in changed.items()})


def save_listed(
    connection: Connection, after: Mapping[int, SectionState], digests: Mapping[int, int | None]
) -> None:
    """Write the states of sections in a polled catalog, with the digests of their rows."""
    if after:
        rows = [
            {"row_id": row_id, "digest": digests[row_id], **columns_of(state)}
            for row_id, state in after.items()
        ]
        connection.execute(_SAVE_LISTED, rows)


def write_history(connection: Connection, moves: Mapping[int, tuple[SectionState, SectionState]]) -> None:
    """Write to the history what changed for people; `moves` has each section's state before and after."""
    seen = [_sighting(row_id, after) for row_id, (before, after) in moves.items() if _differs(before, after)]
    if seen:
        connection.execute(insert(section_history), seen)


def begin_history(connection: Connection, row_ids: Collection[int], now: datetime) -> None:
    """Write the known seats of sections that a polled catalog lists and that get their first watch."""
    is_first = ~exists().where(section_history.c.section_id == sections.c.id)
    known = [sections.c[name] for name in _SHOWN]
    for ids in chunks(sorted(row_ids)):
        shown = select(sections.c.id, literal(to_ms(now)), *known).where(
            sections.c.id.in_(ids), sections.c.digest.is_not(None), is_first
        )
        columns = ("section_id", "observed_at_ms", *_SHOWN)
        connection.execute(insert(section_history).from_select(columns, shown))


def history_entry(row: RowMapping) -> HistoryEntry:
    """The entry in a row of `section_history`."""
    return HistoryEntry(from_ms(row["observed_at_ms"]), **{name: row[name] for name in _SHOWN})


def state_of(row: RowMapping) -> SectionState:
    """The state that a row of `sections` holds."""
    return SectionState(
        key=SectionKey(row["source"], row["term"], row["number"]),
        revision=row["revision"],
        observed_at=from_ms_or_none(row["observed_at_ms"]),
        open_seats=row["open_seats"],
        unreserved_seats=row["unreserved_seats"],
        capacity=row["capacity"],
        instructor=row["instructor"],
        details=Details(row["course"], row["title"], row["location"], row["meeting_times"]),
        openings=row["openings"],
        assignments=row["assignments"],
        misses=row["misses"],
        retirements=row["retirements"],
        retired=row["retired"],
        anomalies={Anomaly(name): looks for name, looks in (row["anomalies"] or {}).items()},
        missing_since=from_ms_or_none(row["missing_since_ms"]),
        status=None if row["status"] is None else SectionStatus(row["status"]),
        is_counted=row["is_counted"],
        waitlist_places=row["waitlist_places"],
        waitlist_length=row["waitlist_length"],
        waitlist_openings=row["waitlist_openings"],
        fillings=row["fillings"],
        as_of=from_ms_or_none(row["as_of_ms"]),
    )


def is_section(key: SectionKey) -> ColumnElement[bool]:
    """The condition of the row of `key`."""
    return (
        (sections.c.source == key.source) & (sections.c.term == key.term) & (sections.c.number == key.number)
    )


def columns_of(state: SectionState) -> dict[str, Any]:
    """The columns of `sections` that hold `state`."""
    details = state.details
    return {
        "revision": state.revision,
        "observed_at_ms": to_ms_or_none(state.observed_at),
        "open_seats": state.open_seats,
        "unreserved_seats": state.unreserved_seats,
        "capacity": state.capacity,
        "instructor": state.instructor,
        "course": details.course,
        "title": details.title,
        "location": details.location,
        "meeting_times": details.meeting_times,
        "openings": state.openings,
        "assignments": state.assignments,
        "misses": state.misses,
        "retirements": state.retirements,
        "retired": state.retired,
        "anomalies": dict(state.anomalies) or None,
        "missing_since_ms": to_ms_or_none(state.missing_since),
        "status": state.status,
        "is_counted": state.is_counted,
        "waitlist_places": state.waitlist_places,
        "waitlist_length": state.waitlist_length,
        "waitlist_openings": state.waitlist_openings,
        "fillings": state.fillings,
        "as_of_ms": to_ms_or_none(state.as_of),
    }


def _sighting(row_id: int, state: SectionState) -> dict[str, Any]:
    shown = dict(zip(_SHOWN, _shown(state), strict=True))
    return {"section_id": row_id, "observed_at_ms": to_ms_or_none(state.observed_at), **shown}


def _differs(before: SectionState, after: SectionState) -> bool:
    return bool(_shown(before) != _shown(after))
