"""The answers of Ellucian Banner 9: their shapes, and the observations they mean. Pure.

Source: recorded answers of UT San Antonio and Hawaii. `openSection` is not read: it is true for a seat or a
place on the waitlist.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from html import unescape
from typing import Final

from msgspec import Struct

from catalogs.answers import distinct, joined, section_key
from domain.availability import SeatFacts, join_instructors, observation
from domain.catalog import CatalogTerm, PartialAnswerError, SchemaError, WrongTermError
from domain.observation import Details, Observation
from domain.text import clock_time

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_VIEW_ONLY: Final = "(View Only)"


class TermItem(Struct, rename="camel"):
    """A term; its description ends with "(View Only)" when registration is over."""

    code: str
    description: str

    def term(self) -> CatalogTerm:
        """The term as every catalog states it."""
        label = clean(self.description)
        return CatalogTerm(self.code, label.removesuffix(_VIEW_ONLY).strip(), label.endswith(_VIEW_ONLY))


class Person(Struct, rename="camel"):
    """An instructor of a section."""

    display_name: str | None = None
    primary_indicator: bool | None = None


class MeetingTime(Struct, rename="camel"):
    """When and where a section meets; times are digits such as 0830."""

    begin_time: str | None = None
    end_time: str | None = None
    building: str | None = None
    building_description: str | None = None
    room: str | None = None
    monday: bool | None = None
    tuesday: bool | None = None
    wednesday: bool | None = None
    thursday: bool | None = None
    friday: bool | None = None
    saturday: bool | None = None
    sunday: bool | None = None


class Meeting(Struct, rename="camel"):
    """One series of meetings of a section."""

    meeting_time: MeetingTime | None = None


class ReservedSeats(Struct, rename="camel"):
    """The seats that no group has reserved."""

    seats_available_unreserved: int | None


class Row(Struct, rename="camel"):
    """A section. `course_display` is the course number where the catalog displays another than it stores."""

    term: str
    course_reference_number: str
    subject: str
    course_number: str
    seats_available: int
    maximum_enrollment: int | None
    cross_list: str | None
    cross_list_available: int | None
    course_title: str | None = None
    course_display: str | None = None
    wait_available: int | None = None
    wait_count: int | None = None
    reserved_seat_summary: ReservedSeats | None = None
    faculty: list[Person] | None = None
    meetings_faculty: list[Meeting] | None = None


class Page(Struct, rename="camel"):
    """A page of a search. `path_mode` is "search" only in a session that has chosen a term."""

    success: bool
    total_count: int | None
    data: list[Row] | None
    path_mode: str | None = None

    @property
    def is_sessionless(self) -> bool:
        """Whether this is the answer to a request without a session: empty, and not in search mode."""
        return self.success and not self.data and self.path_mode != "search"


def total_of(page: Page, offset: int, size: int) -> int:
    """The number of rows of the search, of which `page` has the rows from `offset`, at most `size`.

    Raises: SchemaError without a total; PartialAnswerError if the page has more or fewer rows than it should.
    """
    if page.total_count is None or page.total_count < 0:
        raise SchemaError(f"Banner's field totalCount is {page.total_count}")
    expected = max(0, min(size, page.total_count - offset))
    found = len(page.data or [])
    if found != expected:
        raise PartialAnswerError(f"Banner's page has {found} rows instead of {expected}")
    return page.total_count


def check_query(rows: Sequence[Row], term: str, subjects: Sequence[str]) -> None:
    """Check that `rows` are of `term` and `subjects` (any if empty): a session may hold other criteria.

    Raises: WrongTermError; PartialAnswerError.
    """
    for row in rows:
        if row.term != term:
            raise WrongTermError(f"Banner's answer has a section of {row.term[:16]!r}, not of {term}")
        if subjects and clean(row.subject) not in subjects:
            raise PartialAnswerError(f"Banner's answer has a section of the subject {row.subject[:16]!r}")


def observations(rows: Sequence[Row], source: str, term: str, at: datetime) -> list[Observation]:
    """The sections. Raises: PartialAnswerError for a repeated section; SchemaError."""
    found = [_observation(row, source, term, at) for row in rows]
    return distinct(found, "Banner's answer repeats a section")


@lru_cache(maxsize=4096)  # names, titles and times repeat from row to row and from poll to poll
def clean(text: str | None) -> str:
    """`text` without HTML entities and repeated spaces."""
    if not text:
        return ""
    return " ".join((unescape(text) if "&" in text else text).split())


def _observation(row: Row, source: str, term: str, at: datetime) -> Observation:
    return observation(
        section_key(source, term, row.course_reference_number, "Banner's field courseReferenceNumber"),
        at,
        _facts(row),
        taught_by=_taught_by(row.faculty),
        details=_details(row),
    )


def _facts(row: Row) -> SeatFacts:
    reserved = row.reserved_seat_summary
    return SeatFacts(
        own=row.seats_available,
        pool=row.cross_list_available if row.cross_list else None,
        unreserved=reserved.seats_available_unreserved if reserved else None,
        capacity=row.maximum_enrollment,
        waitlist_places=row.wait_available,
        waitlist_length=row.wait_count,
    )


def _taught_by(faculty: list[Person] | None) -> str | None:
    if faculty is None:
        return None
    ordered = sorted(faculty, key=lambda person: not person.primary_indicator)
    return join_instructors(dict.fromkeys(clean(person.display_name) for person in ordered))


def _details(row: Row) -> Details:
    meetings = [each.meeting_time for each in row.meetings_faculty or [] if each.meeting_time is not None]
    return Details(
        course=clean(f"{row.subject} {row.course_display or row.course_number}"),
        title=clean(row.course_title),
        location=joined(_place(each) for each in meetings),
        meeting_times=joined(_times(each) for each in meetings),
    )


def _place(meeting: MeetingTime) -> str:
    return clean(f"{meeting.building_description or meeting.building or ''} {meeting.room or ''}")


def _times(meeting: MeetingTime) -> str:
    days = "/".join(day[:3].title() for day in _DAYS if getattr(meeting, day))
    hours = " - ".join(clock_time(clean(time)) for time in (meeting.begin_time, meeting.end_time) if time)
    return f"{days} {hours}".strip()
