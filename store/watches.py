"""Watches: create, list, change and end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, select, update

from domain.errors import InvalidInputError
from domain.section import SectionKey
from domain.section_state import SectionState
from domain.watch import Watch
from store import audit
from store.audit import AuditEntry
from store.database import Database, from_ms, from_ms_or_none, to_ms
from store.refusals import opted_out
from store.schema import sections, watches
from store.sections.states import is_section, state_of
from store.watch_import import WatchRequest, add_many, watch_of

__all__ = ["Audience", "StoredWatch", "WatchFilter", "WatchRequest", "Watches"]

_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class StoredWatch:
    """A stored watch with the state of its section.

    Shape: `paused_until` may be in the past. `course_watch_id` is the watch of a course that made it, None if
    a person did.
    """

    id: int
    watch: Watch
    created_at: datetime
    ended_at: datetime | None
    ended_reason: str | None
    section: SectionState
    paused_until: datetime | None = None
    course_watch_id: int | None = None

    def is_paused(self, now: datetime) -> bool:
        """Whether the watch is paused."""
        return self.paused_until is not None and now < self.paused_until


@dataclass(frozen=True, slots=True)
class Audience:
    """How many people watch a source, and since when the first of them has."""

    people: int
    since: datetime


@dataclass(frozen=True, slots=True)
class WatchFilter:
    """Selects active watches; None means any. `section` is a number in any source and term."""

    email: str | None = None
    source: str | None = None
    term: str | None = None
    section: str | None = None

    @property
    def criteria(self) -> dict[str, str]:
        """The given criteria, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def condition(self) -> ColumnElement[bool]:
        """The condition on rows of `watches`."""
        wanted = {sections.c.source: self.source, sections.c.term: self.term, sections.c.number: self.section}
        conditions = [column == value for column, value in wanted.items() if value is not None]
        meant: list[ColumnElement[bool]] = [watches.c.ended_at_ms.is_(None)]
        if self.email is not None:
            meant.append(watches.c.email == self.email)
        if conditions:
            meant.append(watches.c.section_id.in_(select(sections.c.id).where(*conditions)))
        return and_(*meant)


class Watches:
    """The rows of `watches`. Ended ones remain, because notifications refer to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, watch: Watch | WatchRequest, now: datetime, entry: AuditEntry | None = None
    ) -> tuple[StoredWatch, bool]:
        """A new watch and True, or the updated active one and False.

        Raises: InvalidInputError if mail to the address is suppressed.
        """
        with self._database.write() as connection:
            result = add_many(connection, [watch], now)[0]
            if isinstance(result, InvalidInputError):
                raise result
            stored = _active(connection, watch)
            audit.write(connection, entry, subject=f"watch/{stored.id}")
            return stored, result

    def add_all(
        self, wanted: Iterable[Watch | WatchRequest], now: datetime, entry: AuditEntry | None = None
    ) -> list[bool | InvalidInputError]:
        """As `add` for many in one transaction; return for each whether it is new, or why it was refused."""
        with self._database.write() as connection:
            results = add_many(connection, list(wanted), now)
            audit.write(connection, entry, count=sum(isinstance(result, bool) for result in results))
            return results

    def get(self, watch_id: int) -> StoredWatch | None:
        """The watch, active or ended, or None."""
        with self._database.read() as connection:
            row = connection.execute(_select().where(watches.c.id == watch_id)).mappings().first()
        return None if row is None else _stored(row)

    def page(
        self,
        *,
        email: str | None = None,
        section: str | None = None,
        key: SectionKey | None = None,
        after: int | None,
        limit: int,
    ) -> tuple[list[StoredWatch], int | None]:
        """As `matching`; `section` is a number in any source and term, `key` one section."""
        wanted = WatchFilter(email, section=section)
        if key is not None:
            wanted = WatchFilter(email, key.source, key.term, key.number)
        return self.matching(wanted, after=after, limit=limit)

    def matching(
        self, wanted: WatchFilter, *, after: int | None, limit: int
    ) -> tuple[list[StoredWatch], int | None]:
        """The active watches in order of creation, and the next cursor."""
        query = _select().where(wanted.condition).order_by(watches.c.id)
        if after is not None:
            query = query.where(watches.c.id > after)
        return self._database.page(query, limit, "watch_id", _stored)

    def all_of(self, email: str) -> list[StoredWatch]:
        """The newest 1,000 watches of a person, active or ended, newest first."""
        return self._all(watches.c.email == email)

    def all_on(self, key: SectionKey) -> list[StoredWatch]:
        """The newest 1,000 watches of a section, active or ended, newest first."""
        return self._all(is_section(key))

    def pause(self, watch_id: int, until: datetime | None, entry: AuditEntry | None = None) -> bool:
        """Pause one watch until `until` (None: resume it).

        False if no such watch is active, or if it should resume and its person has opted out.
        """
        is_it = (watches.c.id == watch_id) & watches.c.ended_at_ms.is_(None)
        return self._pause(is_it, until, entry) > 0

    def count(self, wanted: WatchFilter) -> tuple[int, int]:
        """How many active watches match, and of how many addresses."""
        counts = (func.count(), func.count(watches.c.email.distinct()))
        with self._database.read() as connection:
            found, people = connection.execute(select(*counts).where(wanted.condition)).one()
        return int(found), int(people)

    def pause_all(self, wanted: WatchFilter, until: datetime | None, entry: AuditEntry | None = None) -> int:
        """As `pause`, for every matching watch; return their number."""
        return self._pause(wanted.condition, until, entry)

    def end_all(
        self, wanted: WatchFilter, reason: str, now: datetime, entry: AuditEntry | None = None
    ) -> int:
        """End every matching watch; return their number."""
        return self._end(wanted.condition, reason, now, entry)

    def end(self, watch_id: int, reason: str, now: datetime, entry: AuditEntry | None = None) -> bool:
        """End one watch; False if no such watch is active."""
        return self._end(watches.c.id == watch_id, reason, now, entry) > 0

    def audiences(self) -> dict[str, Audience]:
        """The audience of each watched source."""
        columns = watches.c
        people = func.count(columns.email.distinct())
        query = (
            select(sections.c.source, people, func.min(columns.created_at_ms))
            .select_from(watches.join(sections))
            .where(columns.ended_at_ms.is_(None), sections.c.retired.is_(False))
            .group_by(sections.c.source)
        )
        with self._database.read() as connection:
            return {row[0]: Audience(row[1], from_ms(row[2])) for row in connection.execute(query)}

    def any(self) -> bool:
        """Whether there ever was a watch."""
        with self._database.read() as connection:
            return connection.execute(select(watches.c.id).limit(1)).first() is not None

    def _all(self, condition: ColumnElement[bool]) -> list[StoredWatch]:
        query = _select().where(condition).order_by(watches.c.id.desc()).limit(_LIMIT)
        with self._database.read() as connection:
            return [_stored(row) for row in connection.execute(query).mappings()]

    def _pause(self, condition: ColumnElement[bool], until: datetime | None, entry: AuditEntry | None) -> int:
        if until is None:
            condition &= ~opted_out(watches.c.email, watches.c.section_id)
        until_ms = None if until is None else to_ms(until)
        return self._update(condition, entry, paused_until_ms=until_ms)

    def _end(
        self, condition: ColumnElement[bool], reason: str, now: datetime, entry: AuditEntry | None
    ) -> int:
        is_active = watches.c.ended_at_ms.is_(None)
        return self._update(condition & is_active, entry, ended_at_ms=to_ms(now), ended_reason=reason)

    def _update(self, condition: ColumnElement[bool], entry: AuditEntry | None, **values: object) -> int:
        with self._database.write() as connection:
            count = connection.execute(update(watches).where(condition).values(values)).rowcount
            if count:
                audit.write(connection, entry, count=count)
            return count


def _select() -> Select[Any]:
    columns = watches.c
    return select(
        columns.id.label("watch_id"),
        columns.email,
        columns.kinds,
        columns.min_seats,
        columns.unreserved_only,
        columns.max_waitlist,
        columns.course_watch_id,
        columns.created_at_ms,
        columns.ended_at_ms,
        columns.ended_reason,
        columns.paused_until_ms,
        sections,
    ).join(sections)


def _active(connection: Connection, watch: Watch | WatchRequest) -> StoredWatch:
    key = watch.key
    query = _select().where(
        watches.c.email == watch.email,
        watches.c.ended_at_ms.is_(None),
        is_section(key),
    )
    return _stored(connection.execute(query).mappings().one())


def _stored(row: RowMapping) -> StoredWatch:
    return StoredWatch(
        id=row["watch_id"],
        watch=watch_of(row),
        created_at=from_ms(row["created_at_ms"]),
        ended_at=from_ms_or_none(row["ended_at_ms"]),
        ended_reason=row["ended_reason"],
        section=state_of(row),
        paused_until=from_ms_or_none(row["paused_until_ms"]),
        course_watch_id=row["course_watch_id"],
    )
