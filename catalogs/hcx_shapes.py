"""The shapes of HighPoint CX's answers, with only the fields that are read. Pure.

Source: recorded answers of Virginia and Boston University; public clients for the search form, reserved seats
and page counts, which no recorded answer has.
A search states numbers as integers, the details of a class state most of them as text.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

ClassNumber = Annotated[int, Meta(ge=1)]
ClassStatus = Literal["A", "S", "T", "X"]
"""Active, stop further enrolment, tentative, cancelled."""


class TermItem(Struct):
    """A term of the search form."""

    strm: str
    descr: str = ""


class SubjectItem(Struct):
    """A subject of the search form."""

    subject: str


class SearchOptions(Struct):
    """The part of ClassSearchOptions that is read."""

    subjects: list[SubjectItem]
    terms: list[TermItem]


class ReserveCap(Struct):
    """Seats that are reserved for a group between two dates (MM/DD/YYYY, empty for no limit).

    A later start of the same number replaces the earlier one.
    """

    enrl_cap: int | str
    enrl_tot: int | str
    rsrv_cap_nbr: int | str
    start_dt: str = ""
    end_dt: str = ""


class Person(Struct):
    """An instructor; "-" stands for none."""

    name: str = ""


class RowMeeting(Struct):
    """A meeting in a search; the catalog may hide rooms from guests."""

    days: str = ""
    start_time: str = ""
    end_time: str = ""
    facility_descr: str = ""


class Row(Struct):
    """A class in a search."""

    strm: str
    class_nbr: ClassNumber
    subject: str
    catalog_nbr: str
    descr: str
    class_stat: ClassStatus
    enrl_stat: Literal["O", "C", "W"]
    combined_section: Literal["Y", "N"]
    class_capacity: int
    enrollment_total: int
    enrollment_available: int
    wait_cap: int
    wait_tot: int
    instructors: list[Person] | None = None
    meetings: list[RowMeeting] = []
    reserve_caps: list[ReserveCap] = []


class Page(Struct, rename="camel"):
    """A page of a search. `page_count` may be stated only on the first page, and be 0 on the others."""

    classes: list[Row]
    page_count: Annotated[int, Meta(ge=0)]


class ClassMeeting(Struct):
    """A meeting in the details of a class."""

    stnd_mtg_pat: str = ""
    days: str = ""
    meeting_time_start: str = ""
    meeting_time_end: str = ""
    room: str = ""
    instructors: list[Person] = []


class ClassHeading(Struct):
    """What the details of a class call class_details; `status` is a text such as "Open"."""

    class_number: ClassNumber
    subject: str
    catalog_nbr: str
    course_title: str
    status: str
    course_status: ClassStatus
    institution: str = ""


class ClassAvailability(Struct):
    """The counts in the details of a class."""

    class_capacity: int | str
    enrollment_total: int | str
    enrollment_available: int | str
    wait_list_capacity: int | str
    wait_list_total: int | str


class SectionInfo(Struct):
    """The section in the details of a class."""

    class_details: ClassHeading
    class_availability: ClassAvailability
    reserve_caps: list[ReserveCap]
    is_combined: bool
    meetings: list[ClassMeeting] = []


class EnrolmentInfo(Struct):
    """The terms in which one can enrol; not every release states them."""

    enrl_terms: list[TermItem] = []


class ClassDetails(Struct):
    """The answer of ClassDetails."""

    section_info: SectionInfo
    class_enroll_info: EnrolmentInfo = msgspec.field(default_factory=EnrolmentInfo)
