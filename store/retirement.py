"""Sections that their source has confirmed to be gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, or_, select, update

from domain.changes import MISSES_TO_RETIRE, is_mass_missing, retire
from store import notices
from store.schema import sections
from store.sections import IS_WATCHED, save, state_of

# What the source never showed (a wrong number, a section yet to come) cannot be gone: it is asked on.
_IS_KNOWN = or_(*(sections.c[name].is_not(None) for name in ("open_seats", "capacity", "instructor")))
_IS_GONE = _IS_KNOWN & sections.c.retired.is_(False) & (sections.c.misses >= MISSES_TO_RETIRE)
_IS_OF_SOURCE = sections.c.source == bindparam("of_source")
_SOURCES = select(sections.c.source).where(_IS_GONE).distinct()
_GONE = select(sections).where(_IS_GONE, _IS_OF_SOURCE).with_for_update()
_DOUBT = update(sections).where(_IS_GONE, _IS_OF_SOURCE).values(misses=MISSES_TO_RETIRE - 1)
_TRACKED = select(func.count().filter(sections.c.misses > 0), func.count()).where(
    _IS_KNOWN, _IS_OF_SOURCE, sections.c.retired.is_(False), IS_WATCHED
)


def retire_missing(connection: Connection, now: datetime) -> int:
    """Retire the sections that were missed often enough; how many notifications that caused.

    Where too many of a source's tracked sections are missing at once, the source is doubted instead:
    nothing is retired, and one more miss is asked of each.
    """
    sources = list(connection.execute(_SOURCES).scalars())
    return sum(_retire(connection, source, now) for source in sources)


def _retire(connection: Connection, source: str, now: datetime) -> int:
    this = {"of_source": source}
    if is_mass_missing(*connection.execute(_TRACKED, this).one()):
        connection.execute(_DOUBT, this)
        return 0
    rows = connection.execute(_GONE, this).mappings()
    before = {row["id"]: state_of(row) for row in rows}
    retired = {row_id: retire(state) for row_id, state in before.items()}
    save(connection, before, {row_id: state for row_id, (state, _) in retired.items()})
    news = [(row_id, state, change) for row_id, (state, change) in retired.items()]
    return notices.add(connection, news, now, cooldown=timedelta(0))
