"""The answers of Ellucian Colleague Self-Service: their shapes, and the observations they mean. Pure.

Source: the recorded answer of Kishwaukee; public clients for the other answers. `StartTime` of a section's
`Meetings` carries the date of the request, so times come from `FormattedMeetingTimes`. Sunday is day 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from html import unescape
from typing import Final

from msgspec import Struct

from catalogs.answers import distinct, joined, section_key
from domain.availability import SeatFacts, join_instructors, observation
from domain.catalog import PartialAnswerError, SchemaError, WrongTermError
from domain.observation import Details, Observation, SectionStatus

_DAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_STATUSES: Final = {
    "open": SectionStatus.OPEN,
    "waitlisted": SectionStatus.WAITLIST,
    "closed": SectionStatus.CLOSED,
}


class TermItem(Struct):
    """A term of the search form: its code and its label."""

    Item1: str
    Item2: str


class SearchForm(Struct):
    """The part of GetCatalogAdvancedSearch that is read."""

    Terms: list[TermItem]


class CourseItem(Struct):
    """A course of a search; `MatchingSectionIds` is None in the list that only serves the display."""

    Id: str
    SubjectCode: str
    Number: str
    MatchingSectionIds: list[str] | None = None

    @property
    def name(self) -> str:
        """The course as the first parts of its sections' names."""
        return dashed(f"{self.SubjectCode}-{self.Number}")


class CoursePage(Struct):
    """One page of a search, 30 courses at most."""

    TotalItems: int
    TotalPages: int
    Courses: list[CourseItem] | None = None
    CourseFullModels: list[CourseItem] | None = None

    def courses(self) -> list[CourseItem]:
        """The courses with their section ids. Raises: SchemaError if neither list states the ids."""
        lists = [found for found in (self.Courses, self.CourseFullModels) if found]
        for found in lists:
            if all(course.MatchingSectionIds is not None for course in found):
                return found
        if lists:
            raise SchemaError("Colleague's search answer has no field MatchingSectionIds")
        return []


class Meeting(Struct):
    """A meeting as displayed; `Days` are numbers (Sunday = 0) or names."""

    Days: list[int | str] | None = None
    StartTimeDisplay: str | None = None
    EndTimeDisplay: str | None = None
    BuildingDisplay: str | None = None
    RoomDisplay: str | None = None


class Section(Struct):
    """A section. `AvailabilityStatus` is a text, or in the newer interface a number (0 = open)."""

    Id: str
    SectionNameDisplay: str
    Available: int | None
    Capacity: int | None
    AvailabilityStatus: str | int
    AreSeatCountsAvailable: bool
    HasUnlimitedSeats: bool
    TermId: str | None = None
    CourseName: str | None = None
    Title: str | None = None
    Waitlisted: int | None = None
    WaitlistAvailable: bool | None = None
    FormattedMeetingTimes: list[Meeting] | None = None


class Instructor(Struct):
    """An instructor; the name is abbreviated."""

    FacultyName: str | None = None


class SectionItem(Struct):
    """A section with its instructors."""

    Section: Section
    FacultyDisplay: str | None = None
    InstructorDetails: list[Instructor] | None = None


class Term(Struct):
    """The term of a group of sections."""

    Code: str


class TermGroup(Struct):
    """The sections of a course in one term."""

    Term: Term
    Sections: list[SectionItem]


class TermGroups(Struct):
    """The sections of a course by term, which is the whole answer of SectionsAsync."""

    TermsAndSections: list[TermGroup]


class SectionsAnswer(Struct):
    """The answer of Sections."""

    SectionsRetrieved: TermGroups


def dashed(name: str) -> str:
    """A course or section name with "-" between its parts: colleges display AMT-116-3A01 or CPS*1231*01."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def section_ids(groups: TermGroups) -> set[str]:
    """The ids of all sections in the answer, of any term."""
    return {item.Section.Id for group in groups.TermsAndSections for item in group.Sections}


def observations(groups: TermGroups, source: str, term: str, at: datetime) -> list[Observation]:
    """The sections of `term`; those of other terms are ignored.

    Raises: WrongTermError if the answer has only other terms; PartialAnswerError if it has no or repeated
    sections; SchemaError.
    """
    found = [_observation(item, source, term, at) for item in _items(groups, term)]
    if not found and section_ids(groups):
        raise WrongTermError(f"Colleague's answer has no section of the term {term}")
    if not found:
        raise PartialAnswerError("Colleague's answer has none of the sections asked for")
    return distinct(found, "Colleague's answer repeats a section name")


def _items(groups: TermGroups, term: str) -> Iterator[SectionItem]:
    for group in groups.TermsAndSections:
        if group.Term.Code != term:
            continue
        for item in group.Sections:
            if item.Section.TermId not in {None, term}:
                raise WrongTermError(f"Colleague lists a section of {item.Section.TermId} under {term}")
            yield item


def _observation(item: SectionItem, source: str, term: str, at: datetime) -> Observation:
    section = item.Section
    number = dashed(section.SectionNameDisplay)
    return observation(
        section_key(source, term, number, "Colleague's field SectionNameDisplay"),
        at,
        seat_facts(section),
        taught_by=_taught_by(item),
        details=_details(section, number),
    )


def seat_facts(section: Section) -> SeatFacts:
    """What `section` states. Counts that are not public, or without limit, are unknown: the status decides.

    Raises: SchemaError for a status that is not known, or counts that are public but absent.
    """
    is_counted = section.AreSeatCountsAvailable and not section.HasUnlimitedSeats
    if is_counted and (section.Available is None or section.Capacity is None):
        raise SchemaError("Colleague's fields Available and Capacity are null for a section with counts")
    return SeatFacts(
        own=section.Available if is_counted else None,
        capacity=section.Capacity if is_counted else None,
        status=_status(section.AvailabilityStatus),
        waitlist_places=0 if section.WaitlistAvailable is False else None,
        waitlist_length=section.Waitlisted if section.AreSeatCountsAvailable else None,
    )


def _status(stated: str | int) -> SectionStatus:
    if isinstance(stated, int):  # colleges differ in what 1 and 2 mean; 0 is open in all of them
        return SectionStatus.OPEN if stated == 0 else SectionStatus.CLOSED
    try:
        return _STATUSES[stated.strip().casefold()]
    except KeyError:
        raise SchemaError(f"Colleague's field AvailabilityStatus is unknown: {stated[:40]!r}") from None


def _taught_by(item: SectionItem) -> str | None:
    if item.InstructorDetails:
        return join_instructors(unescape(person.FacultyName or "") for person in item.InstructorDetails)
    if item.InstructorDetails is None and item.FacultyDisplay is None:
        return None
    return unescape(item.FacultyDisplay or "")


def _details(section: Section, number: str) -> Details:
    meetings = section.FormattedMeetingTimes or []
    return Details(
        course=dashed(section.CourseName or course_of(number)),
        title=unescape(section.Title or ""),
        location=joined(_words(each.BuildingDisplay, each.RoomDisplay) for each in meetings),
        meeting_times=joined(_times(each) for each in meetings),
    )


def course_of(number: str) -> str:
    """The course in a section name, empty if there is none: AMT-116 of AMT-116-3A01."""
    course = number.rpartition("-")[0]
    return course if "-" in course else ""


def _times(meeting: Meeting) -> str:
    days = "/".join(_day(day) for day in meeting.Days or [])
    hours = " - ".join(filter(None, (meeting.StartTimeDisplay, meeting.EndTimeDisplay)))
    return _words(days, hours)


def _day(day: int | str) -> str:
    if isinstance(day, str):
        return day[:3]
    if day not in range(len(_DAYS)):
        raise SchemaError(f"Colleague's field Days is not 0 to 6: {day}")
    return _DAYS[day]


def _words(*parts: str | None) -> str:
    return " ".join(unescape(" ".join(filter(None, parts))).split())
