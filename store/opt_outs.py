"""Opt-outs: refusals of mail by address, for one section or for all.

An opt-out outlives the watches that it ends and blocks every later one. Only its person can withdraw it, with
a signed link; no operator, import or restore can.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, select, update

from domain.section import SectionKey
from store import audit
from store.audit import AuditEntry
from store.database import Database, insert_new, to_ms
from store.refusals import is_refused
from store.schema import opt_outs, sections, suppressions, watches
from store.sections.states import find_or_add
from store.watch_import import WATCH_COLUMNS, WatchRequest, add_many, watch_of

UNSUBSCRIBED = "unsubscribed"
"""End reason of a watch that its person stopped."""

_PERSON = "the person"
_columns = opt_outs.c


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
    """Opt-outs and suppressions: rows of `opt_outs` by key, and of `suppressions`."""

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
    return Statements(statements, [dict(row) for row in held])


def keep(connection: Connection, statements: Statements) -> None:
    """Merge `statements` into the database, and end the watches that they refuse."""
    places = find_or_add(connection, [key for _, key, _ in statements.opt_outs if key is not None])
    for email, key, created_at_ms in statements.opt_outs:
        section_id = None if key is None else places[key][0]
        row = {"email": email, "section_id": section_id, "created_at_ms": created_at_ms}
        insert_new(connection, opt_outs, row)
    for row in statements.suppressions:
        insert_new(connection, suppressions, row)
    is_mine = is_refused(watches.c.email, watches.c.section_id)
    since = select(func.max(_columns.created_at_ms)).where(is_mine).scalar_subquery()
    refused = update(watches).where(watches.c.ended_at_ms.is_(None), exists().where(is_mine))
    connection.execute(refused.values(ended_at_ms=since, ended_reason=UNSUBSCRIBED))


def _stop(connection: Connection, email: str, section_id: int | None, now: datetime) -> int:
    row = {"email": email, "section_id": section_id, "created_at_ms": to_ms(now)}
    is_new = insert_new(connection, opt_outs, row)
    is_active = and_(watches.c.email == email, watches.c.ended_at_ms.is_(None), *_about(section_id))
    ended = {"ended_at_ms": to_ms(now), "ended_reason": UNSUBSCRIBED}
    count = connection.execute(update(watches).where(is_active).values(ended)).rowcount
    if is_new:
        audit.write(connection, _entry("mail.opt-out", email, now, count))
    return count


def _allow(connection: Connection, email: str, section_id: int | None, now: datetime) -> int:
    revoked = delete(opt_outs).where(_is_of(email, section_id)).returning(_columns.created_at_ms)
    since_ms = connection.execute(revoked).scalar()
    if since_ms is None:
        return 0
    requests = _stopped(connection, email, section_id, since_ms)
    restored = [result for result in add_many(connection, requests, now) if result is True]
    audit.write(connection, _entry("mail.opt-in", email, now, len(restored)))
    return len(restored)


def _stopped(connection: Connection, email: str, section_id: int | None, since_ms: int) -> list[WatchRequest]:
    """The watches that the opt-out at `since_ms` ended, as they were before."""
    columns = watches.c
    query = (
        select(*WATCH_COLUMNS, columns.course_watch_id)
        .select_from(watches.join(sections))
        .where(columns.email == email, columns.ended_reason == UNSUBSCRIBED, *_about(section_id))
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
