"""The outcomes of a section check: an observation, a missing section, or a failure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from domain.errors import RollcallError
from domain.section import SectionKey

UNASSIGNED = ""
_PLACEHOLDERS = frozenset({"", "staff", "tba", "tbd", "to be announced", "to be determined", "unassigned"})


@dataclass(frozen=True, slots=True)
class Details:
    """What a section is, for people. Empty text where the source does not say."""

    course: str = ""
    title: str = ""
    location: str = ""
    meeting_times: str = ""

    def over(self, known: Details) -> Details:
        """These details; where they do not say, what is `known`."""
        if self.course and self.title and self.location and self.meeting_times:
            return self
        return Details(
            self.course or known.course,
            self.title or known.title,
            self.location or known.location,
            self.meeting_times or known.meeting_times,
        )


@dataclass(frozen=True, slots=True)
class Observation:
    """A section as its source showed it at one moment.

    Shape: `open_seats`, `capacity` and `instructor` are None where the source did not say: unknown is
    not zero. `instructor` is `UNASSIGNED` when the source says that nobody is. `unreserved_seats` is told by
    sources that keep some seats for groups: `open_seats` equals it then, and where it is None, may count
    reserved ones. `took_seconds` is how long the source took to answer, None where nobody measured; it tells
    nothing of the section.
    """

    key: SectionKey
    observed_at: datetime
    open_seats: int | None
    capacity: int | None
    instructor: str | None
    details: Details = Details()
    took_seconds: float | None = field(default=None, compare=False)
    unreserved_seats: int | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """The source answered, and says that it has no such section."""

    key: SectionKey
    observed_at: datetime
    took_seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """The source could not say; `error` tells why and whether to ask again."""

    key: SectionKey
    error: RollcallError


Outcome = Observation | Missing | CheckFailure


def seats(count: int | None) -> int | None:
    """A count of seats as a source gave it: overdrawn sections (below zero) have none."""
    return None if count is None else max(0, count)


def instructor(name: str | None) -> str | None:
    """One spelling for an instructor: placeholders such as "Staff" or "TBA" become `UNASSIGNED`."""
    if name is None:
        return None
    named = [" ".join(person.split()) for person in name.split(";") if not _is_placeholder(person)]
    return "; ".join(named) or UNASSIGNED


def _is_placeholder(person: str) -> bool:
    return all(" ".join(part.split()).casefold() in _PLACEHOLDERS for part in person.split(","))
