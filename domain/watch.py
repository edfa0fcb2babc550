"""Watches: which notifications a person wants about a section, or about the sections that a course gains."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.section import SectionKey
from domain.section_state import (
    InstructorAssigned,
    SeatsFilled,
    SeatsIncreased,
    SectionAdded,
    SectionEvent,
    SectionRetired,
    WaitlistOpened,
)
from domain.text import Identifier

MAX_SEATS: Final = 10_000
COURSE: Final = Identifier(r"[^\s](?:.{0,62}[^\s])?", "1 to 64 characters, such as CSE 310")


class NotificationKind(StrEnum):
    """The kinds of notification; the names are part of the `X-Rollcall-Event` header."""

    SEAT_AVAILABLE = "seat_available"
    WAITLIST_AVAILABLE = "waitlist_available"
    INSTRUCTOR_ASSIGNED = "instructor_assigned"
    SECTION_RETIRED = "section_retired"
    SEAT_FILLED = "seat_filled"
    SECTION_ADDED = "section_added"


DEFAULT_KINDS = (
    NotificationKind.SEAT_AVAILABLE,
    NotificationKind.INSTRUCTOR_ASSIGNED,
    NotificationKind.SECTION_RETIRED,
)
"""The kinds of a watch that names none."""
COURSE_KINDS = (NotificationKind.SECTION_ADDED, *DEFAULT_KINDS)
"""The kinds of a watch of a course that names none."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One person's interest in one section: the kinds of notification, and the conditions.

    Shape: `min_seats` is the minimum of open seats. With `unreserved_only`, seats count only if the catalog
    states that no group has reserved them. A place on the waitlist counts if at most `max_waitlist` people
    wait; None for any number. What is unknown does not count.
    """

    email: str
    key: SectionKey
    kinds: tuple[NotificationKind, ...] = DEFAULT_KINDS
    min_seats: int = 1
    unreserved_only: bool = False
    max_waitlist: int | None = None


@dataclass(frozen=True, slots=True)
class CourseWatch:
    """One person's interest in every section that a course gains: each becomes a `Watch`.

    Shape: `course` is written as the catalog writes it. `kinds` and conditions are those of the new watches;
    SECTION_ADDED announces each.
    """

    email: str
    source: str
    term: str
    course: str
    kinds: tuple[NotificationKind, ...] = COURSE_KINDS
    min_seats: int = 1
    unreserved_only: bool = False
    max_waitlist: int | None = None

    def __str__(self) -> str:
        return f"{self.source}/{self.term}/{self.course}"


def course_id(course: str) -> str:
    """What identifies a course in a term, however it is written: `cse310` and `CSE 310` are the same."""
    return "".join(filter(str.isalnum, course)).casefold()


def default_kinds(*, has_waitlist: bool) -> tuple[NotificationKind, ...]:
    """The kinds of a watch that names none, on a catalog that states waitlists or does not."""
    return (*DEFAULT_KINDS, NotificationKind.WAITLIST_AVAILABLE) if has_waitlist else DEFAULT_KINDS


def kind_of(change: SectionEvent) -> NotificationKind:
    """The kind of notification that `change` causes."""
    match change:
        case SeatsIncreased():
            return NotificationKind.SEAT_AVAILABLE
        case SeatsFilled():
            return NotificationKind.SEAT_FILLED
        case WaitlistOpened():
            return NotificationKind.WAITLIST_AVAILABLE
        case InstructorAssigned():
            return NotificationKind.INSTRUCTOR_ASSIGNED
        case SectionRetired():
            return NotificationKind.SECTION_RETIRED
        case SectionAdded():
            return NotificationKind.SECTION_ADDED
