"""Sections that their source has confirmed to be gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, exists, func, or_, select, update

from domain.changes import MISSES_TO_RETIRE, is_mass_missing, retire
from store import notices
from store.schema import sections, watches
from store.sections import save, state_of

# What the source never showed (a wrong number, a section yet to come) cannot be gone: it is asked on.
_IS_KNOWN = or_(*(sections.c[name].is_not(None) for name in ("open_seats", "capacity", "instructor")))
_IS_WATCHED = exists().where(watches.c.section_id == sections.c.id, watches.c.ended_at_ms.is_(None))


def retire_missing(connection: Connection, now: datetime) -> int:
    """Retire the sections that were missed often enough; how many notifications that caused.

    Where too many of a source's tracked sections are missing at once, the source is doubted instead:
    nothing is retired, and one more miss is asked of each.
    """
    is_gone = _IS_KNOWN & sections.c.retired.is_(False) & (sections.c.misses >= MISSES_TO_RETIRE)
    sources = connection.execute(select(sections.c.source).where(is_gone).distinct()).scalars()
    return sum(
        _retire(connection, is_gone & (sections.c.source == source), source, now) for source in list(sources)
    )


def _retire(connection: Connection, is_gone: ColumnElement[bool], source: str, now: datetime) -> int:
    if _is_doubtful(connection, source):
        connection.execute(update(sections).where(is_gone).values(misses=MISSES_TO_RETIRE - 1))
        return 0
    rows = connection.execute(select(sections).where(is_gone).with_for_update()).mappings()
    before = {row["id"]: state_of(row) for row in rows}
    retired = {row_id: retire(state) for row_id, state in before.items()}
    save(connection, before, {row_id: state for row_id, (state, _) in retired.items()})
    news = [(row_id, state, change) for row_id, (state, change) in retired.items()]
    return notices.add(connection, news, now, cooldown=timedelta(0))


def _is_doubtful(connection: Connection, source: str) -> bool:
    is_tracked = _IS_KNOWN & (sections.c.source == source) & sections.c.retired.is_(False) & _IS_WATCHED
    counts = select(func.count().filter(sections.c.misses > 0), func.count()).where(is_tracked)
    missing, tracked = connection.execute(counts).one()
    return is_mass_missing(missing, tracked)
