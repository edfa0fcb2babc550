"""Sections that fail while their source answers for others: the cause is the section, not the source."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select, update

from domain.section import SectionKey
from store.schema import runs, sections
from store.sections.states import by_term

_ITS = (
    (sections.c.source == bindparam("of_source"))
    & (sections.c.term == bindparam("of_term"))
    & sections.c.number.in_(bindparam("numbers", expanding=True))
)
_CLEAR = update(sections).where(_ITS, sections.c.failures > 0).values(failures=0)
_BLAME = update(sections).where(_ITS).values(failures=sections.c.failures + 1)
_COUNTS = select(runs.c.checked, runs.c.failed).where(runs.c.id == bindparam("run_id"))


def clear(connection: Connection, keys: Collection[SectionKey]) -> None:
    """Note that `keys`, which had failed before, were answered."""
    for (source, term), numbers in by_term(keys).items():
        connection.execute(_CLEAR, {"of_source": source, "of_term": term, "numbers": numbers})


def count_failures(connection: Connection, run_id: str, keys: Collection[SectionKey]) -> None:
    """Count that `keys` failed in a run; if a run has no more answers than failures, none is counted."""
    if not keys or not answers(connection, run_id):
        return
    for (source, term), numbers in by_term(keys).items():
        connection.execute(_BLAME, {"of_source": source, "of_term": term, "numbers": numbers})


def answers(connection: Connection, run_id: str) -> bool:
    """Whether more sections of the run have been answered than were given up."""
    row = connection.execute(_COUNTS, {"run_id": run_id}).first()
    return row is not None and row.checked > row.failed
