"""Section search: full text over course, title, instructor, term and number (migration 0106)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, false, func, literal_column, select
from sqlalchemy import text as sql

from domain.section_state import SectionState
from store.database import Database
from store.schema import sections, watches
from store.sections.states import state_of


class SectionStatus(StrEnum):
    """The status of a section; exactly one applies. A section never observed is unknown."""

    OPEN = "open"
    FULL = "full"
    UNKNOWN = "unknown"
    MISSING = "missing"
    RETIRED = "retired"


_WORD = re.compile(r"[^\W_]+")
_SIMPLE: ColumnElement[str] = literal_column("'simple'::regconfig")
_WORDS: ColumnElement[str] = literal_column(
    "to_tsvector('simple'::regconfig, regexp_replace("
    + " || ' ' || ".join(
        [
            "replace(replace(sections.course, ' ', ''), '-', '')",
            *(
                f"coalesce(sections.{name}, '')"
                for name in ("course", "title", "instructor", "term", "number")
            ),
        ]
    )
    + ", '[!-/:-@[-`{-~]+', ' ', 'g'))"
)
"""The expression of the index of PostgreSQL."""
_IS_THERE = (sections.c.misses == 0) & sections.c.retired.is_(False)
_CONDITIONS = {
    SectionStatus.OPEN: _IS_THERE & (sections.c.open_seats > 0),
    SectionStatus.FULL: _IS_THERE & (sections.c.open_seats == 0),
    SectionStatus.UNKNOWN: _IS_THERE & sections.c.open_seats.is_(None),
    SectionStatus.MISSING: (sections.c.misses > 0) & sections.c.retired.is_(False),
    SectionStatus.RETIRED: sections.c.retired,
}
_ACTIVE = (
    select(func.count())
    .where(watches.c.section_id == sections.c.id, watches.c.ended_at_ms.is_(None))
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True)
class FoundSection:
    """A section in a listing, with its number of active watches."""

    state: SectionState
    watches: int


@dataclass(frozen=True, slots=True)
class SectionQuery:
    """Which sections to find; None means any.

    Shape: each word of `text` begins a word of the section, in any case and order; a course is found with and
    without its space. `is_watched` leaves out sections that were never watched.
    """

    text: str = ""
    status: SectionStatus | None = None
    source: str | None = None
    term: str | None = None
    is_watched: bool = False


class Search:
    """Searches `sections`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sections(
        self, wanted: SectionQuery, *, after: int | None = None, limit: int
    ) -> tuple[list[FoundSection], int | None]:
        """In the order in which they were first seen, and the next cursor."""
        query = self.query(wanted)
        if after is not None:
            query = query.where(sections.c.id > after)
        return self._database.page(
            query, limit, "id", lambda row: FoundSection(state_of(row), row["watches"])
        )

    def query(self, wanted: SectionQuery) -> Select[Any]:
        """The query of all sections that match, with the number of active watches of each."""
        query = select(sections, _ACTIVE.label("watches")).order_by(sections.c.id)
        if wanted.text:
            query = query.where(self._matches(wanted.text))
        if wanted.is_watched:
            query = query.where(exists().where(watches.c.section_id == sections.c.id))
        for column, value in ((sections.c.source, wanted.source), (sections.c.term, wanted.term)):
            query = query if value is None else query.where(column == value)
        return query if wanted.status is None else query.where(_CONDITIONS[wanted.status])

    def numbers(self, source: str, term: str) -> list[str]:
        """The numbers of the sections that are listed in `term`, in order."""
        query = select(sections.c.number).where(
            sections.c.source == source,
            sections.c.term == term,
            _IS_THERE,
            sections.c.observed_at_ms.is_not(None),
        )
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(sections.c.number)).scalars())

    def _matches(self, text: str) -> ColumnElement[bool]:
        words = _WORD.findall(text.lower())
        if not words:
            return false()
        if not self._database.is_sqlite:
            return _WORDS.op("@@")(func.to_tsquery(_SIMPLE, " & ".join(f"{word}:*" for word in words)))
        matching = sql("SELECT rowid FROM section_search WHERE section_search MATCH :words")
        bound = matching.bindparams(words=" ".join(f'"{word}"*' for word in words))
        return sections.c.id.in_(bound.columns(sections.c.id))
