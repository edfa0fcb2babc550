"""Watches: which notifications a person wants about a section, or about the sections that a course gains."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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

MAX_SEATS = 10_000


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
