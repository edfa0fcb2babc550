"""Writes the answers of polls: what has changed becomes states, history and notifications.

`sections` holds every section of a polled catalog. A row whose digest is unchanged is not written; a poll
that changes nothing writes to `catalog_polls` alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, exists, func, or_, select, update

from domain.catalog_poll import GuardState, ListedRow, counts_as_miss, digest
from domain.observation import Missing, Observation
from domain.section import SectionKey
from domain.section_state import miss
from domain.term import Term
from store.catalogs.added_sections import sections_added
from store.catalogs.polls import RunningPoll, lock_poll
from store.database import Database, chunks
from store.runs.retirement import retire_missing
from store.schema import course_watches, opt_outs, section_daily_rollups, section_history, sections, watches
from store.sections.observations import Recorded, add_listed, record_listed
from store.sections.states import IS_WATCHED, load, save_listed

_IS_OF_TERM = (sections.c.source == bindparam("of_source")) & (sections.c.term == bindparam("of_term"))
_DIGESTS = select(sections.c.number, sections.c.digest, sections.c.open_seats, sections.c.is_counted).where(
    _IS_OF_TERM, sections.c.number.in_(bindparam("numbers", expanding=True))
)
_LISTED = select(sections.c.id, sections.c.number).where(_IS_OF_TERM, sections.c.retired.is_(False))
_COUNT_LISTED = _LISTED.with_only_columns(func.count())
_IDS = sections.c.id.in_(bindparam("ids", expanding=True))
_IS_REFERRED_TO = or_(
    *(
        exists().where(table.c.section_id == sections.c.id)
        for table in (watches, section_history, opt_outs, section_daily_rollups)
    ),
    # Of a watched course every section is remembered: one that returns is not new.
    exists().where(
        course_watches.c.source == sections.c.source,
        course_watches.c.term == sections.c.term,
        course_watches.c.course == sections.c.course,
        course_watches.c.ended_at_ms.is_(None),
    ),
)
_FORGET = delete(sections).where(_IDS, ~_IS_REFERRED_TO)
# Rows with a history stay; they are listed again as soon as the catalog lists them.
_RETIRE = update(sections).where(_IDS, ~IS_WATCHED).values(retired=True, digest=None)


@dataclass(frozen=True, slots=True)
class AnswerDiff:
    """An answer beside what is stored: sections that are new, differ, or are unchanged.

    Shape: of the changed ones, `openings` had no seat and have one, and `uncounted` have lost their count of
    seats. A row that is observed again, because its change was not confirmed, is neither.
    """

    new: list[Observation] = field(default_factory=list)
    changed: list[Observation] = field(default_factory=list)
    unchanged: list[Observation] = field(default_factory=list)
    openings: int = 0
    uncounted: int = 0


class Answers:
    """Writes what polls observe. Each method raises SupersededPollError if another worker polls the term."""

    def __init__(self, database: Database, *, cooldown: timedelta) -> None:
        self._database = database
        self._cooldown = cooldown

    def diff(self, term: Term, listed: Sequence[Observation]) -> AnswerDiff:
        """Compare the rows of an answer about `term` with those that are stored."""
        stored: dict[str, tuple[int | None, int | None, bool]] = {}
        names = {"of_source": term[0], "of_term": term[1]}
        with self._database.read() as connection:
            for numbers in chunks([seen.key.number for seen in listed]):
                rows = connection.execute(_DIGESTS, names | {"numbers": numbers})
                stored.update((row[0], (row[1], row[2], row[3])) for row in rows)
        new, changed, unchanged = list[Observation](), list[Observation](), list[Observation]()
        openings = uncounted = 0
        for seen in listed:
            known = stored.get(seen.key.number)
            if known is None:
                new.append(seen)
            elif known[0] == digest(seen):
                unchanged.append(seen)
            else:
                changed.append(seen)
                if known[0] is not None:
                    openings += known[1] == 0 and bool(seen.open_seats)
                    uncounted += known[2] and not seen.is_counted
        return AnswerDiff(new, changed, unchanged, openings, uncounted)

    def add(self, poll: RunningPoll, seen: Sequence[Observation], now: datetime) -> int:
        """Add sections that are listed for the first time; return the number of notifications."""
        notified, announces = 0, poll.state.guard is not GuardState.DISCARDED
        for chunk in chunks(seen):
            with self._database.write() as connection:
                lock_poll(connection, poll)
                add_listed(connection, chunk, now)
                if announces:
                    notified += sections_added(connection, chunk, now)
        return notified

    def record(
        self,
        poll: RunningPoll,
        rows: Sequence[ListedRow],
        unchanged: Sequence[Observation],
        now: datetime,
        *,
        announces: bool = True,
    ) -> Recorded:
        """Write the changed `rows` of an answer; `unchanged` are its other rows."""
        if not rows:
            return Recorded()
        with self._database.write() as connection:
            lock_poll(connection, poll)
            recorded = record_listed(
                connection, rows, unchanged, now=now, cooldown=self._cooldown, announces=announces
            )
            added = sections_added(connection, recorded.first_seen, now) if announces else 0
            return replace(recorded, notifications=recorded.notifications + added)

    def record_missing(self, poll: RunningPoll, numbers: Iterable[str], at: datetime) -> int:
        """Count that watched sections are not in a complete answer; return the number of notifications."""
        keys = [SectionKey(*poll.term, number) for number in sorted(numbers)]
        if not keys:
            return 0
        with self._database.write() as connection:
            lock_poll(connection, poll)
            known = load(connection, keys)
            missed = {
                row_id: miss(state, Missing(state.key, at))
                for row_id, state in known.values()
                if counts_as_miss(state, at)
            }
            save_listed(connection, missed, dict.fromkeys(missed))
            return retire_missing(connection, at) if missed else 0

    def remove_unlisted(self, poll: RunningPoll, listed: Collection[str]) -> int:
        """Remove the unwatched sections that a complete answer about the whole term does not have."""
        names = {"of_source": poll.state.source, "of_term": poll.state.term}
        watched = {row.number for row in poll.watched}
        with self._database.read() as connection:
            if connection.execute(_COUNT_LISTED, names).scalar() == len(listed):
                return 0
            rows = connection.execute(_LISTED, names)
            gone = [row_id for row_id, number in rows if number not in listed and number not in watched]
        for ids in chunks(gone):
            with self._database.write() as connection:
                lock_poll(connection, poll)
                _remove(connection, ids)
        return len(gone)


def _remove(connection: Connection, ids: Sequence[int]) -> None:
    """Delete index rows; those that others refer to are retired instead. Watched sections stay."""
    connection.execute(_FORGET, {"ids": ids})
    connection.execute(_RETIRE, {"ids": ids})
