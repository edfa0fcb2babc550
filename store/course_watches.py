"""Watches of courses: each section that a course gains becomes a watch of its own.

A course watch has a baseline: the first complete answer about its course. A section that is first seen after
it is new. A person who unsubscribes from a course ends the watch, and only they can make another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from domain.errors import InvalidInputError
from domain.term import Term
from domain.watch import COURSE_KINDS, CourseWatch, NotificationKind, course_id
from store import audit
from store.audit import AuditEntry
from store.database import Database, from_ms, from_ms_or_none, to_ms
from store.refusals import ONE_COURSE, UNSUBSCRIBED, find_refusals
from store.schema import course_watches, sections

_columns = course_watches.c
_IS_ACTIVE = _columns.ended_at_ms.is_(None)
_IS_OF_TERM = (_columns.source == bindparam("of_source")) & (_columns.term == bindparam("of_term"))
_COURSES = (
    select(sections.c.course)
    .where(sections.c.source == bindparam("of_source"), sections.c.term == bindparam("of_term"))
    .distinct()
)
_PREFERENCES = ("kinds", "min_seats", "unreserved_only", "max_waitlist")


@dataclass(frozen=True, slots=True)
class CourseWatchRequest:
    """A requested watch of a course; None keeps the value of an active one, or uses the default.

    Shape: `default_kinds` are those of a new watch whose `kinds` are None.
    """

    email: str
    source: str
    term: str
    course: str
    kinds: tuple[NotificationKind, ...] | None = None
    min_seats: int | None = None
    unreserved_only: bool | None = None
    max_waitlist: int | None = None
    default_kinds: tuple[NotificationKind, ...] = COURSE_KINDS


@dataclass(frozen=True, slots=True)
class StoredCourseWatch:
    """A stored watch of a course; `baseline_at` is None until a complete answer covered the course."""

    id: int
    watch: CourseWatch
    created_at: datetime
    ended_at: datetime | None
    ended_reason: str | None
    baseline_at: datetime | None


class CourseWatches:
    """The rows of `course_watches`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, wanted: CourseWatchRequest, now: datetime, entry: AuditEntry | None = None
    ) -> tuple[StoredCourseWatch, bool]:
        """A new watch and True, or the updated active one and False.

        The course is stored as the catalog writes it, if it is known. Raises: InvalidInputError if the person
        receives no mail, or none about the course.
        """
        with self._database.write() as connection:
            _require_mail(connection, wanted)
            same = _same_course(connection, wanted)
            active = next((row for row in same if row["ended_at_ms"] is None), None)
            values = _values(wanted)
            if active is None:
                row_id = _insert(connection, wanted, values, now)
            else:
                row_id = active["id"]
                if values:
                    connection.execute(update(course_watches).where(_columns.id == row_id).values(values))
            audit.write(connection, entry, subject=f"course-watch/{row_id}")
            found = connection.execute(select(course_watches).where(_columns.id == row_id))
            return stored_course_watch(found.mappings().one()), active is None

    def get(self, course_watch_id: int) -> StoredCourseWatch | None:
        """The watch, active or ended, or None."""
        query = select(course_watches).where(_columns.id == course_watch_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else stored_course_watch(row)

    def page(
        self, *, email: str | None = None, after: int | None, limit: int
    ) -> tuple[list[StoredCourseWatch], int | None]:
        """The active watches of `email`, or of everyone, in order of creation, and the next cursor."""
        query = select(course_watches).where(_IS_ACTIVE).order_by(_columns.id)
        if email is not None:
            query = query.where(_columns.email == email)
        if after is not None:
            query = query.where(_columns.id > after)
        return self._database.page(query, limit, "id", stored_course_watch)

    def count(self) -> int:
        """How many are active."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).where(_IS_ACTIVE)).scalar_one()

    def end(self, course_watch_id: int, reason: str, now: datetime, entry: AuditEntry | None = None) -> bool:
        """End one watch; those that it made stay. False if no such watch is active."""
        ended = {"ended_at_ms": to_ms(now), "ended_reason": reason}
        query = update(course_watches).where(_columns.id == course_watch_id, _IS_ACTIVE)
        with self._database.write() as connection:
            is_ended = connection.execute(query.values(ended)).rowcount > 0
            if is_ended:
                audit.write(connection, entry)
        return is_ended


def end_term(connection: Connection, term: Term, reason: str, now: datetime) -> list[RowMapping]:
    """End the active watches of a term's courses; return their rows."""
    this = {"of_source": term[0], "of_term": term[1]}
    query = select(course_watches).where(_IS_OF_TERM, _IS_ACTIVE).order_by(_columns.id).with_for_update()
    rows = list(connection.execute(query, this).mappings())
    if rows:
        values = {"ended_at_ms": to_ms(now), "ended_reason": reason}
        connection.execute(update(course_watches).where(_IS_OF_TERM, _IS_ACTIVE).values(values), this)
    return rows


def stored_course_watch(row: RowMapping) -> StoredCourseWatch:
    """The watch in a row of `course_watches`."""
    return StoredCourseWatch(
        id=row["id"],
        watch=CourseWatch(
            email=row["email"],
            source=row["source"],
            term=row["term"],
            course=row["course"],
            kinds=tuple(map(NotificationKind, row["kinds"])),
            min_seats=row["min_seats"],
            unreserved_only=row["unreserved_only"],
            max_waitlist=row["max_waitlist"],
        ),
        created_at=from_ms(row["created_at_ms"]),
        ended_at=from_ms_or_none(row["ended_at_ms"]),
        ended_reason=row["ended_reason"],
        baseline_at=from_ms_or_none(row["baseline_at_ms"]),
    )


def _require_mail(connection: Connection, wanted: CourseWatchRequest) -> None:
    refusal = find_refusals(connection, {wanted.email}).all_mail.get(wanted.email)
    if refusal is None and any(
        row["ended_reason"] == UNSUBSCRIBED for row in _same_course(connection, wanted)
    ):
        refusal = ONE_COURSE

    if refusal is not None:
        raise InvalidInputError({"email": f"mail to this address is suppressed ({refusal})"})


def _same_course(connection: Connection, wanted: CourseWatchRequest) -> list[RowMapping]:
    """The watches of the person on this course, however it is written."""
    query = select(course_watches).where(_IS_OF_TERM, _columns.email == wanted.email)
    rows = connection.execute(query, {"of_source": wanted.source, "of_term": wanted.term}).mappings()
    return [row for row in rows if course_id(row["course"]) == course_id(wanted.course)]


def _insert(
    connection: Connection, wanted: CourseWatchRequest, values: Mapping[str, Any], now: datetime
) -> int:
    known = connection.execute(_COURSES, {"of_source": wanted.source, "of_term": wanted.term}).scalars()
    course = next((each for each in known if course_id(each) == course_id(wanted.course)), wanted.course)
    new = CourseWatch(wanted.email, wanted.source, wanted.term, course)
    row: dict[str, Any] = {name: getattr(new, name) for name in _PREFERENCES}
    row |= {"kinds": list(wanted.default_kinds), **values, "created_at_ms": to_ms(now)}
    row |= {"email": new.email, "source": new.source, "term": new.term, "course": new.course}
    return int(connection.execute(insert(course_watches).returning(_columns.id), row).scalar_one())


def _values(wanted: CourseWatchRequest) -> dict[str, Any]:
    """The values that the request states."""
    stated = {name: getattr(wanted, name) for name in _PREFERENCES}
    if wanted.kinds is not None:
        stated["kinds"] = list(wanted.kinds)
    return {name: value for name, value in stated.items() if value is not None}
