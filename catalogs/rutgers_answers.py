"""The answers of the Rutgers Schedule of Classes: their shapes, and the observations they mean. Pure.

Source: the recorded start of courses.json; public descriptions of openSections.json and of the page's
`initJsonData`. `openStatus` of courses.json is not read: it is up to 15 minutes older than the open list.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable
from datetime import datetime
from html import unescape
from typing import Final

from msgspec import Struct

from catalogs.answers import decode, joined, section_key
from domain.availability import SeatFacts, join_instructors, observation
from domain.catalog import PartialAnswerError, SchemaError
from domain.observation import Details, Observation, SectionStatus
from domain.text import clock_time

SEASONS: Final = {0: "Winter", 1: "Spring", 7: "Summer", 9: "Fall"}
"""The season of a term's digit, in the order of a calendar year."""
INDEX: Final = re.compile("[0-9]{5}")
_DAYS: Final = {"M": "Mon", "T": "Tue", "W": "Wed", "H": "Thu", "F": "Fri", "S": "Sat", "U": "Sun"}
_INITIAL: Final = re.compile(r"<div\b[^>]*\bid=[\"']initJsonData[\"'][^>]*>(.*?)</div>", re.DOTALL)


class TermDate(Struct):
    """A term: its year, and its digit."""

    year: int
    term: int

    def following(self) -> TermDate:
        """The next term of the calendar."""
        digits = list(SEASONS)
        place = digits.index(self.term) + 1
        return TermDate(self.year + place // len(digits), digits[place % len(digits)])

    @property
    def code(self) -> str:
        """The term as the catalog writes it: 92026 is Fall 2026."""
        return f"{self.term}{self.year}"

    @property
    def label(self) -> str:
        """The term as people write it."""
        return f"{SEASONS[self.term]} {self.year}"


class InitialData(Struct, rename="camel"):
    """The part of the page's initial data that is read."""

    current_term_date: TermDate


class Person(Struct):
    """An instructor, as "LAST, FIRST"."""

    name: str | None = None


class Meeting(Struct, rename="camel"):
    """When and where a section meets; times are digits such as 1740, or empty."""

    meeting_day: str | None = None
    start_time_military: str | None = None
    end_time_military: str | None = None
    campus_name: str | None = None
    building_code: str | None = None
    room_number: str | None = None
    meeting_mode_desc: str | None = None


class Section(Struct, rename="camel"):
    """A section; its index identifies it in one term."""

    index: str
    instructors: list[Person]
    meeting_times: list[Meeting]


class Course(Struct, rename="camel"):
    """A course with its sections."""

    course_string: str
    title: str
    sections: list[Section]
    expanded_title: str | None = None


class ListedSection(Struct, frozen=True, array_like=True):
    """What courses.json says of a section."""

    index: str
    taught_by: str
    course: str
    title: str
    location: str
    meeting_times: str

    def observation(self, source: str, term: str, at: datetime, open_indexes: Container[str]) -> Observation:
        """The section as the open list shows it."""
        return observation(
            section_key(source, term, self.index, "Rutgers' field index"),
            at,
            SeatFacts(status=SectionStatus.OPEN if self.index in open_indexes else SectionStatus.CLOSED),
            taught_by=self.taught_by,
            details=Details(self.course, self.title, self.location, self.meeting_times),
        )


def current_term(page: bytes) -> TermDate:
    """The current term of the catalog's page. Raises: SchemaError."""
    found = _INITIAL.search(page.decode("utf-8", "replace"))
    if found is None:
        raise SchemaError("Rutgers' page has no element initJsonData")
    term = decode(unescape(found[1]).encode(), InitialData, "Rutgers").current_term_date
    if term.term not in SEASONS:
        raise SchemaError(f"Rutgers' field currentTermDate.term is unknown: {term.term}")
    return term


def open_indexes(body: bytes) -> frozenset[str]:
    """The indexes of an open list, which may be empty. Raises: SchemaError."""
    found = frozenset(decode(body, list[str], "Rutgers"))
    _check_indexes(found)
    return found


def listed_sections(body: bytes) -> list[ListedSection]:
    """The sections of courses.json, none for a term that is not published.

    Raises: SchemaError; PartialAnswerError if courses have no sections at all, or an index is repeated.
    """
    courses = decode(body, list[Course], "Rutgers")
    found = [_listed(section, course) for course in courses for section in course.sections]
    _check_indexes(section.index for section in found)
    if courses and not found:
        raise PartialAnswerError("Rutgers lists courses without sections")
    if len({section.index for section in found}) < len(found):
        raise PartialAnswerError("Rutgers repeats the index of a section")
    return found


def _check_indexes(indexes: Iterable[str]) -> None:
    for index in indexes:
        if not INDEX.fullmatch(index):
            raise SchemaError(f"Rutgers' index is not five digits: {index[:40]!r}")


def _listed(section: Section, course: Course) -> ListedSection:
    return ListedSection(
        section.index,
        # The catalog lists some instructors twice.
        join_instructors(dict.fromkeys(person.name or "" for person in section.instructors)),
        course.course_string,
        _words(course.expanded_title) or _words(course.title),
        joined(map(_place, section.meeting_times)),
        _times(section.meeting_times),
    )


def _place(meeting: Meeting) -> str:
    """Building and room, or how a meeting without a room takes place."""
    room = _words(meeting.building_code, meeting.room_number)
    if not room:
        return _words(meeting.meeting_mode_desc).title() if not meeting.meeting_day else ""
    return _words(room, (meeting.campus_name or "").title())


def _times(meetings: Iterable[Meeting]) -> str:
    """The meetings, days with the same hours together: "Mon/Wed 5:40 PM - 7:00 PM"."""
    days: dict[str, list[str]] = defaultdict(list)
    for meeting in meetings:
        if meeting.meeting_day:
            times = filter(None, (meeting.start_time_military, meeting.end_time_military))
            days[" - ".join(map(clock_time, times))].append(
                _DAYS.get(meeting.meeting_day, meeting.meeting_day)
            )
    return "; ".join(_words("/".join(dict.fromkeys(names)), hours) for hours, names in days.items())


def _words(*parts: str | None) -> str:
    return " ".join(" ".join(filter(None, parts)).split())
