"""Terms: how many sections of each are still listed, and how a term ends for its watchers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from domain.notification import NotificationState
from domain.observation import Details
from domain.section import SectionKey
from domain.term import ENDED, OVER_AFTER, Presence, Term
from domain.watch import NotificationKind
from store import audit
from store.audit import AuditEntry
from store.course_watches import end_term
from store.database import Database, to_ms
from store.runs.retirement import presences
from store.schema import notifications, sections, watches
from store.watch_import import WatchRequest, add_many

_IS_OF_TERM = (sections.c.source == bindparam("of_source")) & (sections.c.term == bindparam("of_term"))
_IS_ACTIVE = watches.c.ended_at_ms.is_(None)
# Sections before watches, by id: the order in which `store.runs.batches` locks them.
_LOCK_SECTIONS = select(sections.c.id).where(_IS_OF_TERM).order_by(sections.c.id).with_for_update()
_LOCK_ACTIVE = (
    select(watches.c.id.label("watch_id"), watches.c.email, sections)
    .join(sections)
    .where(_IS_OF_TERM, _IS_ACTIVE)
    .order_by(watches.c.email, watches.c.id)
    .with_for_update(of=watches, key_share=True)
)
_OF_COURSE = select(func.min(sections.c.number)).where(
    _IS_OF_TERM, sections.c.course == bindparam("of_course")
)
_OF_TERM = watches.c.section_id.in_(select(sections.c.id).where(_IS_OF_TERM))
_END = update(watches).where(_OF_TERM, _IS_ACTIVE).values(ended_reason=ENDED)
_RETIRE = (
    update(sections)
    .where(_IS_OF_TERM)
    .values(retired=True, retirements=sections.c.retirements + 1, digest=None)
)
_GONE = select(sections.c.source, sections.c.term).where(
    sections.c.missing_since_ms <= bindparam("before_ms"), sections.c.retired.is_(False)
)


@dataclass(frozen=True, slots=True)
class EndedTerm:
    """How many watches ended with a term, and how many people are notified."""

    watches: int
    people: int


class Terms:
    """The terms of the watched sections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[Term, Presence]:
        """The presence of each watched term."""
        with self._database.read() as connection:
            return presences(connection)

    def over(self, now: datetime) -> dict[Term, Presence]:
        """The terms that an operator should end; cheap if there are none."""
        before = {"before_ms": to_ms(now - OVER_AFTER)}
        with self._database.read() as connection:
            gone = {(row[0], row[1]) for row in connection.execute(_GONE.distinct(), before)}
            if not gone:
                return {}
            found = presences(connection)
        return {term: found[term] for term in gone & found.keys() if found[term].is_over(now)}

    def end(self, term: Term, now: datetime, entry: AuditEntry | None = None) -> EndedTerm:
        """End every active watch of `term`, and write one notification to each person who has one."""
        this = {"of_source": term[0], "of_term": term[1]}
        with self._database.write() as connection:
            connection.execute(_LOCK_SECTIONS, this).all()
            courses = end_term(connection, term, ENDED, now)
            rows = connection.execute(_LOCK_ACTIVE, this).mappings().all()
            counts = Counter(row["email"] for row in (*rows, *courses))
            if _watch_a_section(connection, courses, counts.keys() - {row["email"] for row in rows}, now):
                rows = connection.execute(_LOCK_ACTIVE, this).mappings().all()
            people = [next(own) for _, own in groupby(rows, key=lambda row: row["email"])]
            if rows:
                connection.execute(_RETIRE, this)
                connection.execute(_END, this | {"ended_at_ms": to_ms(now)})
                notified = [_notification(first, counts[first["email"]], now) for first in people]
                connection.execute(insert(notifications), notified)
            if counts:
                audit.write(connection, entry, count=counts.total())
        return EndedTerm(counts.total(), len(people))


def _watch_a_section(
    connection: Connection, courses: Iterable[RowMapping], emails: Collection[str], now: datetime
) -> int:
    """Give each of `emails`, who watch only courses, a watch that carries the notification; return how many.

    Without any section of the course there is nothing to attach it to.
    """
    carriers: dict[str, WatchRequest] = {}
    for row in courses:
        if row["email"] in emails and row["email"] not in carriers:
            this = {"of_source": row["source"], "of_term": row["term"], "of_course": row["course"]}
            number = connection.execute(_OF_COURSE, this).scalar()
            if number is not None:
                key = SectionKey(row["source"], row["term"], number)
                carriers[row["email"]] = WatchRequest(row["email"], key, course_watch_id=row["id"])
    return add_many(connection, list(carriers.values()), now).count(True)


def _notification(first: RowMapping, count: int, now: datetime) -> dict[str, Any]:
    """The notification of one person; that of their first watch covers all `count` of them."""
    details = Details(first["course"], first["title"], first["location"], first["meeting_times"])
    facts = {name: first[name] for name in ("open_seats", "capacity", "instructor")}
    return {
        "watch_id": first["watch_id"],
        "kind": NotificationKind.SECTION_RETIRED,
        "episode": first["retirements"] + 1,
        "state": NotificationState.PENDING,
        "facts": facts | {"details": asdict(details), "ended_watches": count},
        "observed_at_ms": to_ms(now),
        "created_at_ms": to_ms(now),
        "due_at_ms": to_ms(now),
    }
