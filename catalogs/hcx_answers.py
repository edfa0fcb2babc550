"""What the answers of HighPoint CX mean: the observations of a search and of the details of a class. Pure.

The status of a class beats its counts: a closed class may show a free seat. The texts of a class are the
same from both answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import unescape
from typing import Final

from catalogs.answers import distinct, joined, section_key
from catalogs.family import CatalogIdentity
from catalogs.hcx_shapes import ClassDetails, ClassStatus, Person, ReserveCap, Row
from domain.availability import SeatFacts, join_instructors, observation
from domain.catalog import PartialAnswerError, SchemaError, WrongTermError
from domain.observation import Details, Observation, SectionStatus
from domain.section import SectionKey
from domain.text import clock_time

_ENROLMENT: Final = {"O": SectionStatus.OPEN, "C": SectionStatus.CLOSED, "W": SectionStatus.WAITLIST}
_ENROLMENT_TEXTS: Final = {
    "open": SectionStatus.OPEN,
    "closed": SectionStatus.CLOSED,
    "waitlist": SectionStatus.WAITLIST,
}
_NOON: Final = 12
_CLOCK: Final = re.compile(r"(\d{1,2})[.:](\d{2})(?:[.:][\d.]+)?(?:[+-]\d{2}:\d{2})?\s*([AaPp][Mm])?")


@dataclass(frozen=True, slots=True)
class _Counts:
    """The counts of a class, from either answer.

    Shape: `available` counts the seats of all combined sections together if `is_combined`. Of two counts of
    a section's own seats that differ, the lower one is true.
    """

    capacity: int
    enrolled: int
    available: int
    wait_capacity: int
    waiting: int
    is_combined: bool

    def facts(self, status: SectionStatus, reserved: int | None) -> SeatFacts:
        """The facts, with `reserved` open seats that belong to groups; None if that is not stated."""
        own = None if self.is_combined else min(self.available, self.capacity - self.enrolled)
        open_seats = self.available if own is None else own
        return SeatFacts(
            own=own,
            pool=self.available if self.is_combined else None,
            unreserved=None if reserved is None else open_seats - reserved,
            capacity=self.capacity,
            status=status,
            waitlist_places=self.wait_capacity - self.waiting,
            waitlist_length=self.waiting,
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the classes of `term` as the catalog showed them at `at`."""

    identity: CatalogIdentity
    term: str
    at: datetime

    def rows(self, rows: Sequence[Row]) -> list[Observation]:
        """The classes of a search.

        Raises: WrongTermError; PartialAnswerError if a class is repeated; SchemaError.
        """
        if other := {row.strm for row in rows} - {self.term}:
            raise WrongTermError(f"the search for {self.term} has classes of {', '.join(sorted(other))}")
        return distinct([self._row(row) for row in rows], "HighPoint's search repeats a class_nbr")

    def details(self, answer: ClassDetails, number: str) -> Observation:
        """The class `number`. Raises: WrongTermError; PartialAnswerError for another class; SchemaError."""
        section, terms = answer.section_info, {item.strm for item in answer.class_enroll_info.enrl_terms}
        if terms and self.term not in terms:
            raise WrongTermError(f"the details of class {number} are about {', '.join(sorted(terms))}")
        heading, stated = section.class_details, section.class_availability
        if str(heading.class_number) != number:
            raise PartialAnswerError(f"the details of class {number} are about {heading.class_number}")
        counts = _Counts(
            _integer(stated.class_capacity, "class_capacity"),
            _integer(stated.enrollment_total, "enrollment_total"),
            _integer(stated.enrollment_available, "enrollment_available"),
            _integer(stated.wait_list_capacity, "wait_list_capacity"),
            _integer(stated.wait_list_total, "wait_list_total"),
            section.is_combined,
        )
        status = _status(heading.course_status, _enrolment(heading.status))
        people = [person for meeting in section.meetings for person in meeting.instructors]
        return observation(
            self._key(number),
            self.at,
            counts.facts(status, self._reserved(section.reserve_caps)),
            taught_by=_taught_by(people) if section.meetings else None,
            details=Details(
                course=_words(heading.subject, heading.catalog_nbr),
                title=_words(heading.course_title),
                location=joined(_words(each.room) for each in section.meetings),
                meeting_times=joined(
                    _times(each.stnd_mtg_pat or each.days, each.meeting_time_start, each.meeting_time_end)
                    for each in section.meetings
                ),
            ),
        )

    def _row(self, row: Row) -> Observation:
        counts = _Counts(
            row.class_capacity,
            row.enrollment_total,
            row.enrollment_available,
            row.wait_cap,
            row.wait_tot,
            row.combined_section == "Y",
        )
        # An empty list in a search does not prove that no seat is reserved: only the details do.
        reserved = self._reserved(row.reserve_caps) if row.reserve_caps else None
        return observation(
            self._key(str(row.class_nbr)),
            self.at,
            counts.facts(_status(row.class_stat, _ENROLMENT[row.enrl_stat]), reserved),
            taught_by=None if row.instructors is None else _taught_by(row.instructors),
            details=Details(
                course=_words(row.subject, row.catalog_nbr),
                title=_words(row.descr),
                location=joined(_words(each.facility_descr) for each in row.meetings),
                meeting_times=joined(
                    _times(each.days, each.start_time, each.end_time) for each in row.meetings
                ),
            ),
        )

    def _key(self, number: str) -> SectionKey:
        return section_key(self.identity.id, self.term, number, "HighPoint's field class_nbr")

    def _reserved(self, caps: Iterable[ReserveCap]) -> int:
        """The open seats that groups have reserved today."""
        today = self.at.astimezone(self.identity.timezone).date()
        current: dict[str, tuple[date, ReserveCap]] = {}
        for cap in caps:
            start, number = _date(cap.start_dt, "start_dt") or date.min, str(cap.rsrv_cap_nbr)
            if start <= today and (number not in current or start >= current[number][0]):
                current[number] = start, cap
        in_effect = (cap for _, cap in current.values() if (_date(cap.end_dt, "end_dt") or today) >= today)
        return sum(
            max(0, _integer(cap.enrl_cap, "enrl_cap") - _integer(cap.enrl_tot, "enrl_tot"))
            for cap in in_effect
        )


def _status(stated: ClassStatus, enrolment: SectionStatus) -> SectionStatus:
    match stated:
        case "A":
            return enrolment
        case "X":
            return SectionStatus.CANCELLED
        case _:  # a stopped or a tentative class takes no enrolments
            return SectionStatus.CLOSED


def _enrolment(text: str) -> SectionStatus:
    try:
        return _ENROLMENT_TEXTS[re.sub(r"[\s-]", "", text).casefold()]
    except KeyError:
        raise SchemaError(f"HighPoint's field status is unknown: {text[:40]!r}") from None


def _integer(stated: int | str, field: str) -> int:
    if isinstance(stated, int):
        return stated
    if re.fullmatch(r"-?[0-9]{1,9}", stated) is None:
        raise SchemaError(f"HighPoint's field {field} is not a number: {stated[:40]!r}")
    return int(stated)


def _date(stated: str, field: str) -> date | None:
    if not stated:
        return None
    found = re.fullmatch(r"([0-9]{2})/([0-9]{2})/([0-9]{4})", stated)
    try:
        month, day, year = map(int, found.groups() if found else ())
        return date(year, month, day)
    except ValueError:
        raise SchemaError(f"HighPoint's field {field} is not a date: {stated[:40]!r}") from None


def _taught_by(people: Iterable[Person]) -> str:
    # Sorted, because the two answers list the same people in different orders.
    return join_instructors(sorted({unescape(person.name) for person in people} - {"-"}))


def _times(days: str, start: str, end: str) -> str:
    """One form for both answers, so that a changed time is a change of the class."""
    return _words(days, " - ".join(filter(None, (_clock(start), _clock(end)))))


def _clock(stated: str) -> str:
    """13.00.00.000000-05:00, 01:00 PM and 1:00PM as 1:00 PM; other texts as they are."""
    found = _CLOCK.fullmatch(stated.strip())
    if found is None:
        return stated
    hour, half = int(found[1]), (found[3] or "").upper()
    if half:
        hour = hour % _NOON + (_NOON if half == "PM" else 0)
    return clock_time(f"{hour:02}{found[2]}")


def _words(*parts: str) -> str:
    return " ".join(unescape(" ".join(parts)).split())
