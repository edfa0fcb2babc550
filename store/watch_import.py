"""Adds any number of watches with a few statements, so that the write lock is held briefly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from domain.errors import InvalidInputError
from domain.section import SectionKey
from domain.watch import DEFAULT_KINDS, NotificationKind, Watch
from store.catalogs.polls import bring_forward
from store.database import chunks, to_ms
from store.refusals import find_refusals
from store.schema import sections, watches
from store.sections.states import begin_history, ensure_all

_NEAR = 100  # per query: it matches every section with every address
_UPDATE = update(watches).where(watches.c.id == bindparam("row_id"))
_PREFERENCES = ("kinds", "min_seats", "unreserved_only", "max_waitlist")
_SAVE = _UPDATE.values({name: bindparam(name) for name in _PREFERENCES})
WATCH_COLUMNS = (
    watches.c.email,
    sections.c.source,
    sections.c.term,
    sections.c.number,
    *(watches.c[name] for name in _PREFERENCES),
)
"""The columns that `watch_of` reads."""

Place = tuple[int, str]  # a section's row id, and an address; at most one active watch each
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """A requested watch; None keeps the value of an active one, or uses the default.

    Shape: `default_kinds` are those of a new watch whose `kinds` are None. `course_watch_id` is the watch of
    a course that makes it.
    """

    email: str
    key: SectionKey
    kinds: tuple[NotificationKind, ...] | None = None
    min_seats: int | None = None
    unreserved_only: bool | None = None
    max_waitlist: int | None = None
    default_kinds: tuple[NotificationKind, ...] = DEFAULT_KINDS
    course_watch_id: int | None = None


def watch_of(row: RowMapping) -> Watch:
    """The watch in a row of `WATCH_COLUMNS`."""
    return Watch(
        email=row["email"],
        key=SectionKey(row["source"], row["term"], row["number"]),
        kinds=tuple(map(NotificationKind, row["kinds"])),
        min_seats=row["min_seats"],
        unreserved_only=row["unreserved_only"],
        max_waitlist=row["max_waitlist"],
    )


def add_many(
    connection: Connection, wanted: Sequence[Watch | WatchRequest], now: datetime
) -> list[bool | InvalidInputError]:
    """Write `wanted` in order; return for each whether it is new, or why it was refused."""
    refusals = find_refusals(connection, {request.email for request in wanted})
    accepted = [request for request in wanted if refusals.of(request.email, request.key) is None]
    bring_forward(connection, {(request.key.source, request.key.term) for request in accepted}, now)
    section_ids = ensure_all(connection, (request.key for request in accepted))
    places = {(section_ids[request.key], request.email) for request in accepted}
    rows = _active(connection, places)
    created: dict[Place, Row] = {}
    changed: dict[Place, Row] = {}
    results: list[bool | InvalidInputError] = []
    for request in wanted:
        refusal = refusals.of(request.email, request.key)
        if refusal is not None:
            results.append(InvalidInputError({"email": f"mail to this address is suppressed ({refusal})"}))
            continue
        place = (section_ids[request.key], request.email)
        is_new = place not in rows
        if is_new:
            rows[place] = created[place] = _new(place, request, now)
        elif place not in created:
            changed[place] = rows[place]
        rows[place] |= _values(request)
        results.append(is_new)
    _write(connection, created.values(), changed.values())
    begin_history(connection, {section_id for section_id, _ in created}, now)
    return results


def _write(connection: Connection, created: Iterable[Row], changed: Iterable[Row]) -> None:
    if created:
        connection.execute(insert(watches), list(created))
    if changed:
        connection.execute(_SAVE, list(changed))


def _new(place: Place, request: Watch | WatchRequest, now: datetime) -> Row:
    section_id, email = place
    row: Row = {"email": email, "section_id": section_id, "created_at_ms": to_ms(now)}
    row |= {"kinds": list(DEFAULT_KINDS), "min_seats": 1, "unreserved_only": False, "max_waitlist": None}
    made_by = None
    if isinstance(request, WatchRequest):
        row["kinds"], made_by = list(request.default_kinds), request.course_watch_id
    return row | {"course_watch_id": made_by}


def _values(request: Watch | WatchRequest) -> Row:
    """The values that the request states; others are unchanged."""
    values = {name: getattr(request, name) for name in _PREFERENCES}
    if request.kinds is not None:
        values["kinds"] = list(request.kinds)
    return {name: value for name, value in values.items() if value is not None}


def _active(connection: Connection, places: Iterable[Place]) -> dict[Place, Row]:
    """The active watches of `places`, and a few others; never all of a section, which has thousands."""
    columns = watches.c
    preferences = [columns[name] for name in _PREFERENCES]
    active = select(columns.id.label("row_id"), columns.section_id, columns.email, *preferences)
    found: dict[Place, Row] = {}
    for chunk in chunks(sorted(places), _NEAR):
        section_ids, emails = (set(each) for each in zip(*chunk, strict=True))
        query = active.where(
            columns.section_id.in_(section_ids), columns.email.in_(emails), columns.ended_at_ms.is_(None)
        )
        for row in connection.execute(query).mappings():
            found[row["section_id"], row["email"]] = {name: row[name] for name in ("row_id", *_PREFERENCES)}
    return found
