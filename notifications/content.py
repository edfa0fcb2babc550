"""The content of a message, shared by its text and its HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from domain.notification import Notification
from domain.observation import UNASSIGNED
from domain.text import format_time, one_line
from domain.watch import NotificationKind

_COURSE_LIMIT, _TITLE_LIMIT = 32, 80
_MIN_AGE = timedelta(minutes=5)
_TWO_HOURS_MINUTES = 120


@dataclass(frozen=True, slots=True)
class MessageContent:
    """The text of one message.

    Shape: `subject` and `preheader` are single lines; `facts` are (label, value) pairs without empty values;
    `action` is the label of the enrolment link, empty if there is none.
    """

    subject: str
    headline: str
    lead: str
    preheader: str
    caution: str
    facts: tuple[tuple[str, str], ...]
    action: str


def content_for(notification: Notification, now: datetime, zone: tzinfo = UTC) -> MessageContent:
    """The content for `notification` at `now`, with times in `zone`; an old observation states its age.

    Text from the catalog is reduced to short, plain lines.
    """
    seen = format_time(notification.observed_at, zone) + _age(now - notification.observed_at)
    match notification.kind:
        case NotificationKind.SEAT_AVAILABLE:
            return _seat_available(notification, seen)
        case NotificationKind.INSTRUCTOR_ASSIGNED:
            return _instructor_assigned(notification, seen)
        case NotificationKind.SECTION_RETIRED if notification.ended_watches:
            return _term_ended(notification)
        case NotificationKind.SECTION_RETIRED:
            return _section_retired(notification, seen)


def _seat_available(notification: Notification, seen: str) -> MessageContent:
    seats = notification.open_seats
    is_plural = seats is not None and seats > 1
    headline = f"{seats} seats are open" if is_plural else "A seat is open"
    return MessageContent(
        subject=f"{headline}: {_name(notification)}",
        headline=headline,
        lead=f"{_name(notification)} had {_availability(notification)} at our last check.",
        preheader=f"Seen {seen}. Open seats go fast.",
        caution=f"Open seats go fast. This was true at {seen}; "
        f"someone may have taken {'them' if is_plural else 'it'} since.",
        facts=_facts(notification, seen),
        action=f"Enrol in section {_number(notification)}",
    )


def _instructor_assigned(notification: Notification, seen: str) -> MessageContent:
    person = one_line(notification.instructor or "", _TITLE_LIMIT)
    return MessageContent(
        subject=f"{f'Now taught by {person}' if person else 'Instructor assigned'}: {_name(notification)}",
        headline=f"Now taught by {person}" if person else "An instructor is assigned",
        lead=f"{_name(notification)} had no named instructor. "
        + (f"The catalog now lists {person}." if person else "The catalog now lists one."),
        preheader=f"Seen {seen}.",
        caution=f"This is what the catalog showed at {seen}; departments can change assignments.",
        facts=_facts(notification, seen),
        action=f"See section {_number(notification)}",
    )


def _section_retired(notification: Notification, seen: str) -> MessageContent:
    return MessageContent(
        subject=f"No longer listed: {_name(notification)}",
        headline="No longer listed",
        lead=f"{_name(notification)} has disappeared from the catalog. "
        "Several checks in a row did not find it.",
        preheader=f"Gone from the catalog, as of {seen}. It may have been cancelled or renumbered.",
        caution="It may have been cancelled, merged or renumbered: if you hold a seat, ask the department.",
        facts=_facts(notification, seen),
        action="",
    )


def _age(age: timedelta) -> str:
    """The age of an observation as text, empty if it is too short to matter."""
    if age < _MIN_AGE:
        return ""
    minutes = age // timedelta(minutes=1)
    if minutes < _TWO_HOURS_MINUTES:
        return f" ({minutes} minutes before this mail was written)"
    return f" ({minutes // 60} hours before this mail was written)"


def _term_ended(notification: Notification) -> MessageContent:
    term, count = one_line(notification.key.term, _COURSE_LIMIT), notification.ended_watches
    ended = "Your watch on it has ended" if count == 1 else f"Your {count} watches on it have ended"
    return MessageContent(
        subject=f"Term {term} has ended",
        headline=f"Term {term} has ended",
        lead=f"The catalog no longer lists the term {term}. {ended}.",
        preheader=f"{ended}. You do not need to do anything.",
        caution="You do not need to do anything. For another term, add new watches.",
        facts=(("Term", term), ("Watches", str(count))),
        action="",
    )


def _name(notification: Notification) -> str:
    course = one_line(notification.details.course, _COURSE_LIMIT)
    title = one_line(notification.details.title, _TITLE_LIMIT)
    name = " — ".join(part for part in (course, title) if part)
    return f"{name} (section {_number(notification)})" if name else f"Section {_number(notification)}"


def _number(notification: Notification) -> str:
    return one_line(notification.key.number, _COURSE_LIMIT)


def _seats(notification: Notification) -> str:
    seats, capacity = notification.open_seats, notification.capacity
    if seats is None:
        return "" if capacity is None else f"{capacity} in total"
    if capacity is None:
        return f"{seats} open {'seat' if seats == 1 else 'seats'}"
    return f"{seats} of {capacity} seats open"


def _availability(notification: Notification) -> str:
    return "open seats" if notification.open_seats is None else _seats(notification)


def _instructor(notification: Notification) -> str:
    """The instructor as text, empty if the catalog never stated one: unknown is not unassigned."""
    return (
        "Staff (not yet assigned)"
        if notification.instructor == UNASSIGNED
        else one_line(notification.instructor or "")
    )


def _facts(notification: Notification, seen: str) -> tuple[tuple[str, str], ...]:
    details = notification.details
    rows = (
        ("Course", one_line(details.course)),
        ("Title", one_line(details.title)),
        ("Section", _number(notification)),
        ("Term", one_line(notification.key.term, _COURSE_LIMIT)),
        ("Seats", "" if notification.kind is NotificationKind.SECTION_RETIRED else _seats(notification)),
        ("Instructor", _instructor(notification)),
        ("Times", one_line(details.meeting_times)),
        ("Place", one_line(details.location)),
        ("Seen", seen),
    )
    return tuple((label, value) for label, value in rows if value)
