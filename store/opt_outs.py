"""Opt-outs: refusals of mail by address, for one section, one course or for all.

An opt-out outlives the watches that it ends and blocks every later one. Only its person can withdraw it, with
a signed link; no operator, import or restore can.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from domain.section import SectionKey
from store import audit
from store.audit import AuditEntry
from store.database import Database, insert_new, to_ms
from store.refusals import UNSUBSCRIBED, is_refused
from store.schema import course_watches, opt_outs, sections, suppressions, watches
from store.sections.states import find_or_add
from store.watch_import import WATCH_COLUMNS, WatchRequest, add_many, watch_of

_PERSON = "the person"
_columns = opt_outs.c
_COURSE_WATCH = select(course_watches.c.ended_at_ms, course_watches.c.ended_reason).where(
    course_watches.c.id == bindparam("of_id"), course_watches.c.email == bindparam("of_email")
)
_STOPPED_COURSES = select(course_watches).where(course_watches.c.ended_reason == UNSUBSCRIBED)


class OptOuts:
    """The rows of `opt_outs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def has_stopped_all(self, email: str) -> bool:
        """Whether all mail to `email` is stopped."""
        with self._database.read() as connection:
            return _is_stopped(connection, email, None)

    def has_stopped_section(self, watch_id: int, email: str) -> bool:
        """Whether mail to `email` about the watch's section is stopped specifically, not only all mail."""
        with self._database.read() as connection:
            section_id = _section_of(connection, watch_id, email)
            return section_id is not None and _is_stopped(connection, email, section_id)

    def stop_all(self, email: str, now: datetime) -> int:
        """Stop all mail to `email` and end its watches; return how many ended."""
        with self._database.write() as connection:
            return _stop(connection, email, None, now)

    def stop_section(self, watch_id: int, email: str, now: datetime) -> int:
        """Stop mail to `email` about the section of its watch; return how many watches ended.

        This also works for an ended watch; the id of another person's watch has no effect.
        """
        with self._database.write() as connection:
            section_id = _section_of(connection, watch_id, email)
            return 0 if section_id is None else _stop(connection, email, section_id, now)

    def has_stopped_course(self, course_watch_id: int, email: str) -> bool:
        """Whether the person has stopped this watch of a course."""
        with self._database.read() as connection:
            found = connection.execute(_COURSE_WATCH, {"of_id": course_watch_id, "of_email": email}).first()
            return found is not None and found.ended_reason == UNSUBSCRIBED

    def stop_course(self, course_watch_id: int, email: str, now: datetime) -> int:
        """End a person's watch of a course, and the watches that it made; return how many ended.

        From then on only the person can watch the course again.
        """
        ended = {"ended_at_ms": to_ms(now), "ended_reason": UNSUBSCRIBED}
        made = (watches.c.course_watch_id == course_watch_id) & (watches.c.email == email)
        with self._database.write() as connection:
            found = connection.execute(_COURSE_WATCH, {"of_id": course_watch_id, "of_email": email}).first()
            if found is None or found.ended_reason == UNSUBSCRIBED:
                return 0
            is_it = course_watches.c.id == course_watch_id
            connection.execute(update(course_watches).where(is_it).values(ended))
            is_active = made & watches.c.ended_at_ms.is_(None)
            count = connection.execute(update(watches).where(is_active).values(ended)).rowcount
            is_new = found.ended_at_ms is None
            audit.write(connection, _entry("mail.opt-out", email, now, count + is_new))
        return count + is_new

    def allow_course(self, course_watch_id: int, email: str, now: datetime) -> int:
        """Revoke `stop_course`; return how many watches are active again, that of the course included."""
        with self._database.write() as connection:
            found = connection.execute(_COURSE_WATCH, {"of_id": course_watch_id, "of_email": email}).first()
            if found is None or found.ended_reason != UNSUBSCRIBED or _is_stopped(connection, email, None):
                return 0
            is_it = course_watches.c.id == course_watch_id
            active = {"ended_at_ms": None, "ended_reason": None}
            connection.execute(update(course_watches).where(is_it).values(active))
            made = watches.c.course_watch_id == course_watch_id
            requests = _ended(connection, email, found.ended_at_ms, made)
            restored = [result for result in add_many(connection, requests, now) if result is True]
            audit.write(connection, _entry("mail.opt-in", email, now, len(restored) + 1))
        return len(restored) + 1

    def allow_all(self, email: str, now: datetime) -> int:
        """Revoke `stop_all`; return how many of the watches that it ended are active again."""
        with self._database.write() as connection:
            return _allow(connection, email, None, now)

    def allow_section(self, watch_id: int, email: str, now: datetime) -> int:
        """Revoke `stop_section`; return how many watches are active again: none while all mail is stopped."""
        with self._database.write() as connection:
            section_id = _section_of(connection, watch_id, email)
            return 0 if section_id is None else _allow(connection, email, section_id, now)


@dataclass(frozen=True, slots=True)
class Statements:
    """Opt-outs and suppressions: stopped `course_watches`, `opt_outs` by key, and `suppressions`."""

    courses: Collection[dict[str, Any]] = ()
    opt_outs: Collection[tuple[str, SectionKey | None, int]] = ()
    suppressions: Collection[dict[str, Any]] = ()


def statements(connection: Connection, tables: Collection[str]) -> Statements:
    """All statements in the database, as far as `tables` has their tables."""
    statements: list[tuple[str, SectionKey | None, int]] = []
    if opt_outs.name in tables:
        columns = (sections.c.source, sections.c.term, sections.c.number)
        rows = connection.execute(
            select(_columns.email, _columns.created_at_ms, *columns).select_from(opt_outs.outerjoin(sections))
        )
        statements = [(row[0], None if row[2] is None else SectionKey(*row[2:]), row[1]) for row in rows]
    held = connection.execute(select(suppressions)).mappings() if suppressions.name in tables else ()
    stopped = connection.execute(_STOPPED_COURSES).mappings() if course_watches.name in tables else ()
    return Statements(
        courses=[dict(row) for row in stopped],
        opt_outs=statements,
        suppressions=[dict(row) for row in held],
    )


def keep(connection: Connection, statements: Statements) -> None:
    """Merge `statements` into the database, and end the watches that they refuse."""
    places = find_or_add(connection, [key for _, key, _ in statements.opt_outs if key is not None])
    for email, key, created_at_ms in statements.opt_outs:
        section_id = None if key is None else places[key][0]
        row = {"email": email, "section_id": section_id, "created_at_ms": created_at_ms}
        insert_new(connection, opt_outs, row)
    for row in statements.suppressions:
        insert_new(connection, suppressions, row)
    for row in statements.courses:
        _keep_course(connection, row)
    is_mine = is_refused(watches.c.email, watches.c.section_id)
    since = select(func.max(_columns.created_at_ms)).where(is_mine).scalar_subquery()
    refused = update(watches).where(watches.c.ended_at_ms.is_(None), exists().where(is_mine))
    connection.execute(refused.values(ended_at_ms=since, ended_reason=UNSUBSCRIBED))


def _keep_course(connection: Connection, stopped: dict[str, Any]) -> None:
    """Stop the watch of a course in `stopped`, a row of `course_watches`, which may be missing here."""
    same = [course_watches.c[name] == stopped[name] for name in ("email", "source", "term", "course")]
    ended = {name: stopped[name] for name in ("ended_at_ms", "ended_reason")}
    known = connection.execute(update(course_watches).where(*same).values(ended)).rowcount
    if not known:
        row = {name: value for name, value in stopped.items() if name != "id"}
        connection.execute(insert(course_watches), row)


def _stop(connection: Connection, email: str, section_id: int | None, now: datetime) -> int:
    row = {"email": email, "section_id": section_id, "created_at_ms": to_ms(now)}
    is_new = insert_new(connection, opt_outs, row)
    is_active = and_(watches.c.email == email, watches.c.ended_at_ms.is_(None), *_about(section_id))
    ended = {"ended_at_ms": to_ms(now), "ended_reason": UNSUBSCRIBED}
    count = connection.execute(update(watches).where(is_active).values(ended)).rowcount
    if section_id is None:
        is_active = and_(course_watches.c.email == email, course_watches.c.ended_at_ms.is_(None))
        count += connection.execute(update(course_watches).where(is_active).values(ended)).rowcount
    if is_new:
        audit.write(connection, _entry("mail.opt-out", email, now, count))
    return count


def _allow(connection: Connection, email: str, section_id: int | None, now: datetime) -> int:
    revoked = delete(opt_outs).where(_is_of(email, section_id)).returning(_columns.created_at_ms)
    since_ms = connection.execute(revoked).scalar()
    if since_ms is None:
        return 0
    requests = _ended(connection, email, since_ms, *_about(section_id))
    count = sum(result is True for result in add_many(connection, requests, now))
    if section_id is None:
        is_it = and_(
            course_watches.c.email == email,
            course_watches.c.ended_reason == UNSUBSCRIBED,
            course_watches.c.ended_at_ms >= since_ms,
        )
        active = {"ended_at_ms": None, "ended_reason": None}
        count += connection.execute(update(course_watches).where(is_it).values(active)).rowcount
    audit.write(connection, _entry("mail.opt-in", email, now, count))
    return count


def _ended(
    connection: Connection, email: str, since_ms: int, *about: ColumnElement[bool]
) -> list[WatchRequest]:
    """The watches that the person ended at `since_ms` or later, as they were before."""
    columns = watches.c
    query = (
        select(*WATCH_COLUMNS, columns.course_watch_id)
        .select_from(watches.join(sections))
        .where(columns.email == email, columns.ended_reason == UNSUBSCRIBED, *about)
        .where(columns.ended_at_ms >= since_ms)
        .order_by(columns.id)
    )
    return [
        WatchRequest(
            email=email,
            key=watch.key,
            kinds=watch.kinds,
            min_seats=watch.min_seats,
            unreserved_only=watch.unreserved_only,
            max_waitlist=watch.max_waitlist,
            course_watch_id=row["course_watch_id"],
        )
        for row in connection.execute(query).mappings()
        for watch in [watch_of(row)]
    ]


def _is_stopped(connection: Connection, email: str, section_id: int | None) -> bool:
    found = connection.execute(select(_columns.id).where(_is_of(email, section_id)))
    return found.first() is not None


def _is_of(email: str, section_id: int | None) -> ColumnElement[bool]:
    mine = _columns.section_id.is_(None) if section_id is None else _columns.section_id == section_id
    return (_columns.email == email) & mine


def _about(section_id: int | None) -> Iterable[ColumnElement[bool]]:
    return () if section_id is None else (watches.c.section_id == section_id,)


def _section_of(connection: Connection, watch_id: int, email: str) -> int | None:
    query = select(watches.c.section_id).where(watches.c.id == watch_id, watches.c.email == email)
    return connection.execute(query).scalar()


def _entry(action: str, email: str, now: datetime, count: int) -> AuditEntry:
    return AuditEntry(now, _PERSON, action, f"address/{email}", count=count)
