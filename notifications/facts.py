"""What a message states about a section, as phrases and as rows of labels and values. Unknown is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from domain.notification import Notification
from domain.observation import UNASSIGNED, SectionStatus
from domain.text import format_time, one_line
from domain.watch import NotificationKind

NAME_LIMIT, TITLE_LIMIT = 32, 80
_MIN_AGE = timedelta(minutes=5)
_TWO_HOURS_MINUTES = 120
_WITHOUT_SEATS = frozenset({NotificationKind.SECTION_RETIRED})


def seen_at(notification: Notification, now: datetime, zone: tzinfo = UTC) -> str:
    """When the section was seen, with the age of an old observation."""
    return format_time(notification.observed_at, zone) + _age(now - notification.observed_at)


def true_at(notification: Notification, seen: str, zone: tzinfo = UTC) -> str:
    """Since when the facts hold, as the start of a sentence: by the catalog's own time, if it states one."""
    if notification.as_of is None:
        return f"This was true at {seen}"
    return f"The catalog says this as of {format_time(notification.as_of, zone)}"


def name_of(notification: Notification) -> str:
    """The name of the section: its course, title and number as far as known."""
    title = one_line(notification.details.title, TITLE_LIMIT)
    name = " — ".join(part for part in (course_of(notification), title) if part)
    return f"{name} (section {number_of(notification)})" if name else f"Section {number_of(notification)}"


def course_of(notification: Notification) -> str:
    """The code of the course, empty if unknown."""
    return one_line(notification.details.course, NAME_LIMIT)


def number_of(notification: Notification) -> str:
    """The number of the section."""
    return one_line(notification.key.number, NAME_LIMIT)


def seats_of(notification: Notification) -> str:
    """The seats as far as known; a catalog that states no counts only says whether any is open."""
    seats, capacity = notification.open_seats, notification.capacity
    if seats is not None and not notification.is_counted:
        return "open" if seats else "full"
    if seats is None:
        return "" if capacity is None else f"{capacity} in total"
    if capacity is None:
        return f"{seats} open {'seat' if seats == 1 else 'seats'}"
    return f"{seats} of {capacity} seats open"


def waitlist_of(notification: Notification) -> str:
    """The waitlist as far as known. A catalog that states only that it is open has at least one place."""
    places, length = notification.waitlist_places, notification.waitlist_length
    known = [
        "" if places is None else free_places(places),
        "" if length is None else f"{length} {'person waits' if length == 1 else 'people wait'}",
    ]
    return ", ".join(filter(None, known))


def free_places(places: int) -> str:
    """A number of places on a waitlist."""
    return {0: "no free place", 1: "a free place"}.get(places, f"{places} free places")


def rows_of(
    notification: Notification, seen: str, zone: tzinfo = UTC, school: str = ""
) -> tuple[tuple[str, str], ...]:
    """The known facts as rows; `school` is its name."""
    details, has_seats = notification.details, notification.kind not in _WITHOUT_SEATS
    as_of = notification.as_of
    rows = (
        ("School", one_line(school, TITLE_LIMIT)),
        ("Course", one_line(details.course)),
        ("Title", one_line(details.title)),
        ("Section", number_of(notification)),
        ("Term", one_line(notification.key.term, NAME_LIMIT)),
        ("Status", "cancelled" if notification.status is SectionStatus.CANCELLED else ""),
        ("Seats", seats_of(notification) if has_seats else ""),
        ("Reserved", _reserved(notification) if has_seats else ""),
        ("Waitlist", waitlist_of(notification) if has_seats else ""),
        ("Instructor", _instructor(notification)),
        ("Times", one_line(details.meeting_times)),
        ("Place", one_line(details.location)),
        ("Seen", seen),
        ("As of", "" if as_of is None else f"{format_time(as_of, zone)}, says the catalog"),
    )
    return tuple((label, value) for label, value in rows if value)


def _reserved(notification: Notification) -> str:
    """Whether the open seats are reserved; empty if unknown or if none is open."""
    seats, unreserved = notification.open_seats, notification.unreserved_seats
    if not seats or unreserved is None:
        return ""
    return "no, open to everyone" if unreserved >= seats else f"all but {unreserved}"


def _instructor(notification: Notification) -> str:
    """The instructor as text, empty if the catalog never stated one: unknown is not unassigned."""
    return (
        "Staff (not yet assigned)"
        if notification.instructor == UNASSIGNED
        else one_line(notification.instructor or "")
    )


def _age(age: timedelta) -> str:
    """The age of an observation as text, empty if it is too short to matter."""
    if age < _MIN_AGE:
        return ""
    minutes = age // timedelta(minutes=1)
    if minutes < _TWO_HOURS_MINUTES:
        return f" ({minutes} minutes before this mail was written)"
    return f" ({minutes // 60} hours before this mail was written)"
