"""Polls of catalogs: which terms are polled, when each is due, and the outcome of its last poll.

A term is polled while it has active watches, or while an operator has picked it as the current one. One
worker polls at a time; its fence rejects what an earlier one still writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    RowMapping,
    bindparam,
    case,
    func,
    or_,
    select,
    union,
    update,
)

from domain.catalog import CatalogFault
from domain.catalog_poll import LEAST_INTERVAL, GuardState, TermPoll, WatchedRow
from domain.errors import TransientError
from domain.poll_judgement import WITHHELD
from domain.term import Term, TermState
from store import audit
from store.audit import AuditEntry
from store.database import Database, chunks, from_ms, from_ms_or_none, insert_new, to_ms, to_ms_or_none
from store.schema import catalog_polls, catalog_terms, course_watches, sections
from store.sections.states import IS_WATCHED

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_polls = catalog_polls.c
_SOURCES: BindParameter[Any] = bindparam("sources", expanding=True)
_POLLED = union(
    select(sections.c.source, sections.c.term).where(IS_WATCHED, sections.c.source.in_(_SOURCES)),
    select(catalog_terms.c.source, catalog_terms.c.code.label("term")).where(
        catalog_terms.c.state == TermState.CURRENT, catalog_terms.c.source.in_(_SOURCES)
    ),
    select(course_watches.c.source, course_watches.c.term).where(
        course_watches.c.ended_at_ms.is_(None), course_watches.c.source.in_(_SOURCES)
    ),
).subquery()
_DUE = (
    select(_POLLED.c.source, _POLLED.c.term, _polls.due_at_ms)
    .outerjoin(catalog_polls, (_polls.source == _POLLED.c.source) & (_polls.term == _POLLED.c.term))
    .order_by(_polls.due_at_ms)
)
_IS_POLL = (_polls.source == bindparam("of_source")) & (_polls.term == bindparam("of_term"))
_FIND = select(catalog_polls).where(_IS_POLL)
_BEGIN = (
    update(catalog_polls)
    .where(_IS_POLL, or_(_polls.fence.is_(None), _polls.fence <= bindparam("new_fence")))
    .values(fence=bindparam("new_fence"), attempted_at_ms=bindparam("at_ms"))
)
_IS_OF_TERM = (sections.c.source == bindparam("of_source")) & (sections.c.term == bindparam("of_term"))
_ROW = (
    sections.c.id,
    sections.c.number,
    sections.c.course,
    sections.c.open_seats,
    sections.c.is_counted,
    sections.c.retired,
    sections.c.misses > 0,
)
_WATCHED = select(*_ROW).where(_IS_OF_TERM, IS_WATCHED).order_by(sections.c.number)
_COURSES = select(course_watches.c.course).where(
    course_watches.c.source == bindparam("of_source"),
    course_watches.c.term == bindparam("of_term"),
    course_watches.c.ended_at_ms.is_(None),
)
_OF_COURSES = (
    select(sections.c.course, func.min(sections.c.number))
    .where(_IS_OF_TERM, sections.c.course.in_(bindparam("courses", expanding=True)))
    .group_by(sections.c.course)
)


_SET_BASELINE = update(course_watches).where(
    course_watches.c.source == bindparam("of_source"),
    course_watches.c.term == bindparam("of_term"),
    course_watches.c.ended_at_ms.is_(None),
    course_watches.c.baseline_at_ms.is_(None),
    course_watches.c.created_at_ms <= bindparam("since_ms"),
    course_watches.c.course.in_(bindparam("courses", expanding=True)),
)


class SupersededPollError(TransientError):
    """Another worker has begun to poll the term since."""


@dataclass(frozen=True, slots=True)
class RunningPoll:
    """A poll that has begun, and what it must cover.

    Shape: `watched` are the watched sections of the term. `courses` are watched courses with the number of
    one known section, None if there is none.
    """

    state: TermPoll
    fence: int
    watched: list[WatchedRow]
    courses: dict[str, str | None]

    @property
    def term(self) -> Term:
        """The source and its term."""
        return self.state.source, self.state.term

    @property
    def is_awaited(self) -> bool:
        """Whether a watch waits for the term; retired sections are asked for once a day."""
        return bool(self.courses) or any(not row.is_retired for row in self.watched)


@dataclass(frozen=True, slots=True)
class PollResult:
    """How a poll ended.

    Shape: `is_complete` if it read everything that it had to cover; `rows` is the number of sections then if
    that was the whole term, else None. `changed` sections were written. `guard` is the one from now on, with
    its reason and the file of a sample; None leaves it as it is.
    """

    due_at: datetime
    requests: int = 0
    changed: int = 0
    is_complete: bool = False
    rows: int | None = None
    guard: GuardState | None = None
    guard_reason: str | None = None
    guard_sample: str | None = None
    history: Mapping[str, Any] | None = None
    as_of: datetime | None = None
    fault: CatalogFault | None = None
    error: str | None = None


class Polls:
    """The rows of `catalog_polls`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due_times(self, sources: Iterable[str]) -> dict[Term, datetime]:
        """When each polled term of `sources` is due, the first first; long ago if it was never polled."""
        with self._database.read() as connection:
            return {
                (source, term): from_ms_or_none(due_ms) or _EPOCH
                for source, term, due_ms in connection.execute(_DUE, {"sources": list(sources)})
            }

    def all(self) -> dict[Term, TermPoll]:
        """The state of each term that was ever due."""
        with self._database.read() as connection:
            rows = connection.execute(select(catalog_polls)).mappings()
            return {(row["source"], row["term"]): poll_of(row) for row in rows}

    def find(self, term: Term) -> TermPoll | None:
        """The state of one term; None if it was never due."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, _this(term)).mappings().first()
        return None if row is None else poll_of(row)

    def newest_fence(self) -> int:
        """The highest fence of any poll, 0 before the first."""
        with self._database.read() as connection:
            return connection.execute(select(func.max(_polls.fence))).scalar() or 0

    def begin(self, term: Term, fence: int, now: datetime) -> RunningPoll:
        """Begin a poll of `term`. Raises: SupersededPollError if one with a higher fence has begun."""
        this = _this(term)
        with self._database.write() as connection:
            new = {"source": term[0], "term": term[1], "due_at_ms": to_ms(now)}
            insert_new(connection, catalog_polls, new)
            begun = connection.execute(_BEGIN, this | {"new_fence": fence, "at_ms": to_ms(now)})
            if begun.rowcount == 0:
                raise SupersededPollError(f"{term[0]}/{term[1]} is polled by another worker")
            row = connection.execute(_FIND, this).mappings().one()
            watched = [WatchedRow(*each) for each in connection.execute(_WATCHED, this)]
            return RunningPoll(poll_of(row), fence, watched, _courses(connection, this))

    def finish(self, poll: RunningPoll, result: PollResult, now: datetime) -> None:
        """Store the outcome of `poll`. Raises: SupersededPollError."""
        is_good = result.fault is None
        values: dict[str, object] = {
            "due_at_ms": to_ms(result.due_at),
            "polls": _polls.polls + 1,
            "requests": _polls.requests + result.requests,
            "changed": _polls.changed + result.changed,
            "failures": 0 if is_good else _polls.failures + 1,
            "good_polls": _polls.good_polls + 1 if is_good else 0,
            "fault": result.fault,
            "error": result.error,
        }
        if result.as_of is not None:
            values["as_of_ms"] = to_ms_or_none(result.as_of)
        if result.history is not None:
            values["history"] = dict(result.history)
        if result.is_complete:
            values["completed_at_ms"] = to_ms(now)
        if result.rows is not None:
            values |= {"swept_at_ms": to_ms(now), "known_rows": result.rows}
        with self._database.write() as connection:
            lock_poll(connection, poll)
            connection.execute(update(catalog_polls).where(_IS_POLL).values(values), _this(poll.term))
            if result.is_complete:
                _set_baselines(connection, poll, now, is_sweep=result.rows is not None)
            if result.guard not in {None, poll.state.guard}:
                is_same = _polls.guard == poll.state.guard  # an operator may have decided meanwhile
                query = update(catalog_polls).where(_IS_POLL, is_same).values(_guard(result, now))
                connection.execute(query, _this(poll.term))

    def decide(
        self, term: Term, decision: GuardState, now: datetime, entry: AuditEntry | None = None
    ) -> bool:
        """Set the guard of `term`, if its answers are withheld, to `decision`; return whether they were.

        The term is due at once.
        """
        chosen = {"guard": decision, "guard_since_ms": to_ms(now), "due_at_ms": to_ms(now)}
        is_withheld = _polls.guard.in_(sorted(WITHHELD))
        with self._database.write() as connection:
            query = update(catalog_polls).where(_IS_POLL, is_withheld).values(chosen)
            is_decided = connection.execute(query, _this(term)).rowcount > 0
            if is_decided:
                audit.write(connection, entry)
        return is_decided

    def postpone(self, poll: RunningPoll, due_at: datetime) -> None:
        """End `poll` without an outcome: the catalog could not be asked. Raises: SupersededPollError."""
        with self._database.write() as connection:
            lock_poll(connection, poll)
            query = update(catalog_polls).where(_IS_POLL).values(due_at_ms=to_ms(due_at))
            connection.execute(query, _this(poll.term))

    def request(self, term: Term, now: datetime) -> None:
        """Make `term` due at once, even if it is not watched; a poll that waits after a fault stays so."""
        with self._database.write() as connection:
            new = {"source": term[0], "term": term[1], "due_at_ms": to_ms(now)}
            if not insert_new(connection, catalog_polls, new):
                bring_forward(connection, [term], now)


def bring_forward(connection: Connection, terms: Iterable[Term], now: datetime) -> None:
    """Make `terms` due soon, unless they wait after a fault: somebody waits for their sections.

    Call it before the rows of sections are locked: that is the order of `store.catalogs.answers`.
    """
    again_ms = _polls.attempted_at_ms + LEAST_INTERVAL.total_seconds() * 1000
    soon_ms = case((again_ms > to_ms(now), again_ms), else_=to_ms(now))
    query = update(catalog_polls).where(_IS_POLL, _polls.failures == 0, _polls.due_at_ms > soon_ms)
    for term in sorted(set(terms)):
        connection.execute(query.values(due_at_ms=soon_ms), _this(term))


def lock_poll(connection: Connection, poll: RunningPoll) -> None:
    """Lock the row of `poll` until the commit. Raises: SupersededPollError."""
    query = select(_polls.fence).where(_IS_POLL).with_for_update()
    if connection.execute(query, _this(poll.term)).scalar() != poll.fence:
        raise SupersededPollError(f"{poll.state.source}/{poll.state.term} is polled by another worker")


def poll_of(row: RowMapping) -> TermPoll:
    """The state in a row of `catalog_polls`."""
    return TermPoll(
        source=row["source"],
        term=row["term"],
        due_at=from_ms(row["due_at_ms"]),
        attempted_at=from_ms_or_none(row["attempted_at_ms"]),
        completed_at=from_ms_or_none(row["completed_at_ms"]),
        swept_at=from_ms_or_none(row["swept_at_ms"]),
        known_rows=row["known_rows"],
        as_of=from_ms_or_none(row["as_of_ms"]),
        failures=row["failures"],
        fault=None if row["fault"] is None else CatalogFault(row["fault"]),
        error=row["error"],
        polls=row["polls"],
        requests=row["requests"],
        changed=row["changed"],
        guard=GuardState(row["guard"]),
        guard_reason=row["guard_reason"],
        guard_since=from_ms_or_none(row["guard_since_ms"]),
        guard_sample=row["guard_sample"],
        good_polls=row["good_polls"],
        history=row["history"],
    )


def _guard(result: PollResult, now: datetime) -> dict[str, object]:
    if result.guard is GuardState.CLEAR:
        return dict.fromkeys(("guard_reason", "guard_since_ms", "guard_sample")) | {"guard": result.guard}
    return {
        "guard": result.guard,
        "guard_reason": result.guard_reason,
        "guard_since_ms": to_ms(now),
        "guard_sample": result.guard_sample,
    }


def _courses(connection: Connection, this: dict[str, str]) -> dict[str, str | None]:
    courses: dict[str, str | None] = dict.fromkeys(connection.execute(_COURSES, this).scalars())
    if courses:
        known = connection.execute(_OF_COURSES, this | {"courses": list(courses)})
        courses.update((course, number) for course, number in known)
    return courses


def _set_baselines(connection: Connection, poll: RunningPoll, now: datetime, *, is_sweep: bool) -> None:
    """Set the baseline of the watches of courses that the complete `poll` covers: what comes next is new.

    Without a known section, only the whole term covers a course.
    """
    courses = [course for course, number in poll.courses.items() if is_sweep or number is not None]
    since = poll.state.attempted_at or now
    query = _SET_BASELINE.values(baseline_at_ms=to_ms(now))
    for chunk in chunks(courses):
        connection.execute(query, _this(poll.term) | {"since_ms": to_ms(since), "courses": chunk})


def _this(term: Term) -> dict[str, str]:
    return {"of_source": term[0], "of_term": term[1]}
