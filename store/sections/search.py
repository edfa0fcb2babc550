"""Section search for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, func, or_, select

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


class Search:
    """Searches `sections`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sections(
        self,
        text: str = "",
        status: SectionStatus | None = None,
        *,
        source: str | None = None,
        term: str | None = None,
        after: int | None = None,
        limit: int,
    ) -> tuple[list[FoundSection], int | None]:
        """In the order in which they were first watched, and the next cursor.

        Shape: `text` is a prefix of the number, or a case-insensitive part of the course or title.
        """
        query = select(sections, _ACTIVE.label("watches")).order_by(sections.c.id)
        if text:
            query = query.where(_matches(text))
        for column, value in ((sections.c.source, source), (sections.c.term, term)):
            query = query if value is None else query.where(column == value)
        if status is not None:
            query = query.where(_CONDITIONS[status])
        if after is not None:
            query = query.where(sections.c.id > after)
        return self._database.page(
            query, limit, "id", lambda row: FoundSection(state_of(row), row["watches"])
        )

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


def _matches(text: str) -> ColumnElement[bool]:
    holds = [
        func.lower(field).contains(text.lower(), autoescape=True)
        for field in (sections.c.course, sections.c.title)
    ]
    return or_(sections.c.number.startswith(text, autoescape=True), *holds)
