"""The outcomes of a section check: an observation, a missing section, or a failure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from domain.errors import RollcallError
from domain.section import SectionKey

UNASSIGNED = ""
_PLACEHOLDERS = frozenset({"", "staff", "tba", "tbd", "to be announced", "to be determined", "unassigned"})


class SectionStatus(StrEnum):
    """The status of a section as its catalog states it."""

    OPEN = "open"
    WAITLIST = "waitlist"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Details:
    """Descriptive details of a section. Empty text means "not stated"."""

    course: str = ""
    title: str = ""
    location: str = ""
    meeting_times: str = ""

    def over(self, known: Details) -> Details:
        """These details, with gaps filled from `known`."""
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

    Shape: `open_seats`, `capacity` and `instructor` are None if not stated; unknown is not zero. `instructor`
    is `UNASSIGNED` if the source says that there is none. Sources that reserve seats for groups state
    `unreserved_seats`: `open_seats` equals it then; if it is None, `open_seats` may include reserved seats.
    `took_seconds` is the response time of the source, None if not measured. `is_counted` is False where
    `open_seats` only says open (1) or not (0), because the catalog states no counts. `waitlist_places` are
    free places, `waitlist_length` is how many people wait. `as_of` is the time of the catalog's data.
    """

    key: SectionKey
    observed_at: datetime
    open_seats: int | None
    capacity: int | None
    instructor: str | None
    details: Details = Details()
    took_seconds: float | None = field(default=None, compare=False)
    unreserved_seats: int | None = None
    status: SectionStatus | None = None
    is_counted: bool = True
    waitlist_places: int | None = None
    waitlist_length: int | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """The source answered that it has no such section."""

    key: SectionKey
    observed_at: datetime
    took_seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """The check failed; `error` says why and whether to retry."""

    key: SectionKey
    error: RollcallError


Outcome = Observation | Missing | CheckFailure


def seats(count: int | None) -> int | None:
    """A seat count from a source; a negative count (overbooked) becomes zero."""
    return None if count is None else max(0, count)


@lru_cache(maxsize=4096)
def instructor(name: str | None) -> str | None:
    """The normalised instructor; placeholders such as "Staff" or "TBA" become `UNASSIGNED`."""
    if name is None:
        return None
    named = [" ".join(person.split()) for person in name.split(";") if not _is_placeholder(person)]
    return "; ".join(named) or UNASSIGNED


def _is_placeholder(person: str) -> bool:
    return all(" ".join(part.split()).casefold() in _PLACEHOLDERS for part in person.split(","))
