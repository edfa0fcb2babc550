"""Retires sections and terms that their source has confirmed to be gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, or_, select, update

from domain.section_state import MISSES_TO_RETIRE, retire
from domain.term import Presence, Term, unreliable_terms
from store.database import from_ms_or_none
from store.notifications import create
from store.schema import catalog_polls, sections
from store.sections.states import IS_WATCHED, save, state_of

# A section that the source never showed (a wrong number, a future section) cannot be gone: it stays due.
IS_KNOWN = or_(*(sections.c[name].is_not(None) for name in ("open_seats", "capacity", "instructor")))
_IS_GONE = (
    IS_KNOWN
    & sections.c.retired.is_(False)
    & (sections.c.misses >= MISSES_TO_RETIRE)
    & sections.c.missing_since_ms.is_not(None)  # by its index: most sections are listed
)
_IS_OF_SOURCE = sections.c.source == bindparam("of_source")
_IS_OF_TERM = _IS_OF_SOURCE & sections.c.term.in_(bindparam("of_terms", expanding=True))
_GONE_TERMS = select(sections.c.source, sections.c.term).where(_IS_GONE).distinct()
# Rows locked by another transaction are left to the end of its own run: two runs that end at once each lock
# some of the sections that both find missing.
_GONE = select(sections).where(_IS_GONE, _IS_OF_TERM).with_for_update(skip_locked=True)
_ANOMALY = (
    update(sections)
    .where(sections.c.id.in_(_GONE.with_only_columns(sections.c.id)))
    .values(misses=MISSES_TO_RETIRE - 1)
)
_PRESENCE = (
    select(
        sections.c.source,
        sections.c.term,
        func.count().filter(sections.c.misses > 0),
        func.count(),
        func.max(sections.c.missing_since_ms),
        func.coalesce(func.max(catalog_polls.c.known_rows), 0),
    )
    .outerjoin(
        catalog_polls,
        (catalog_polls.c.source == sections.c.source) & (catalog_polls.c.term == sections.c.term),
    )
    .where(IS_KNOWN, sections.c.retired.is_(False), IS_WATCHED)
    .group_by(sections.c.source, sections.c.term)
)


def retire_missing(connection: Connection, now: datetime) -> int:
    """Retire the sections that were missing often enough; return the number of notifications.

    If too much of a term is missing at once, the source is unreliable (`domain.term`): nothing of the term is
    retired, and each section needs one more miss.
    """
    gone: dict[str, set[str]] = {}
    for source, term in connection.execute(_GONE_TERMS):
        gone.setdefault(source, set()).add(term)
    return sum(_judge(connection, source, terms, now) for source, terms in gone.items())


def presences(connection: Connection, source: str | None = None) -> dict[Term, Presence]:
    """How many of the known, watched sections of each term are missing."""
    query = _PRESENCE if source is None else _PRESENCE.where(sections.c.source == source)
    return {
        (row[0], row[1]): Presence(row[2], row[3], from_ms_or_none(row[4]), row[5])
        for row in connection.execute(query)
    }


def _judge(connection: Connection, source: str, terms: set[str], now: datetime) -> int:
    found = {term: presence for (_, term), presence in presences(connection, source).items()}
    unreliable = unreliable_terms(found) & terms
    if unreliable:
        connection.execute(_ANOMALY, {"of_source": source, "of_terms": sorted(unreliable)})
    if not terms - unreliable:
        return 0
    return _retire(connection, source, sorted(terms - unreliable), now)


def _retire(connection: Connection, source: str, terms: list[str], now: datetime) -> int:
    rows = connection.execute(_GONE, {"of_source": source, "of_terms": terms}).mappings()
    before = {row["id"]: state_of(row) for row in rows}
    retired = {row_id: retire(state) for row_id, state in before.items()}
    save(connection, before, {row_id: state for row_id, (state, _) in retired.items()})
    news = [(row_id, state, change) for row_id, (state, change) in retired.items()]
    return create.create(connection, news, now, cooldown=timedelta(0))
