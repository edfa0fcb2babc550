"""Watches: which notifications a person wants about a section."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.section import SectionKey
from domain.section_state import InstructorAssigned, SeatsIncreased, SectionEvent, SectionRetired

MAX_SEATS = 10_000


class NotificationKind(StrEnum):
    """The kinds of notification; the names are part of the `X-Rollcall-Event` header."""

    SEAT_AVAILABLE = "seat_available"
    INSTRUCTOR_ASSIGNED = "instructor_assigned"
    SECTION_RETIRED = "section_retired"


ALL_NOTIFICATION_KINDS = tuple(NotificationKind)


@dataclass(frozen=True, slots=True)
class Watch:
    """One person's interest in one section: the kinds of notification, and the minimum of open seats."""

    email: str
    key: SectionKey
    kinds: tuple[NotificationKind, ...] = ALL_NOTIFICATION_KINDS
    min_seats: int = 1


def kind_of(change: SectionEvent) -> NotificationKind:
    """The kind of notification that `change` causes."""
    match change:
        case SeatsIncreased():
            return NotificationKind.SEAT_AVAILABLE
        case InstructorAssigned():
            return NotificationKind.INSTRUCTOR_ASSIGNED
        case SectionRetired():
            return NotificationKind.SECTION_RETIRED
