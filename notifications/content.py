"""The wording of a message, shared by its text and its HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from domain.notification import Notification
from domain.observation import UNASSIGNED
from domain.text import format_time, one_line
from domain.watch import NotificationKind

_COURSE_LIMIT, _TITLE_LIMIT = 32, 80
_OLD = timedelta(minutes=5)
_TWO_HOURS_MINUTES = 120


@dataclass(frozen=True, slots=True)
class MessageContent:
    """The sentences of one letter.

    Shape: `subject` and `preheader` are single lines; `facts` are (label, value) with no empty value;
    `action` is what the enrolment link offers, empty when there is nothing to enrol in.
    """

    subject: str
    headline: str
    lead: str
    preheader: str
    caution: str
    facts: tuple[tuple[str, str], ...]
    action: str


def content_for(notice: Notification, now: datetime, zone: tzinfo = UTC) -> MessageContent:
    """The wording for `notice`, written `now` with times in `zone`: an old observation says how old it is.

    Whatever the catalog wrote comes out as short, plain lines.
    """
    seen = format_time(notice.observed_at, zone) + _age(now - notice.observed_at)
    match notice.kind:
        case NotificationKind.SEAT_AVAILABLE:
            return _seat_available(notice, seen)
        case NotificationKind.INSTRUCTOR_ASSIGNED:
            return _instructor_assigned(notice, seen)
        case NotificationKind.SECTION_RETIRED if notice.ended_watches:
            return _term_ended(notice)
        case NotificationKind.SECTION_RETIRED:
            return _section_retired(notice, seen)


def _seat_available(notice: Notification, seen: str) -> MessageContent:
    seats = notice.open_seats
    several = seats is not None and seats > 1
    headline = f"{seats} seats are open" if several else "A seat is open"
    return MessageContent(
        subject=f"{headline}: {_name(notice)}",
        headline=headline,
        lead=f"{_name(notice)} had {_room(notice)} when we looked.",
        preheader=f"Seen {seen}. Open seats go fast.",
        caution=f"Open seats go fast. This was true at {seen}; "
        f"someone may have taken {'them' if several else 'it'} since.",
        facts=_facts(notice, seen),
        action=f"Enrol in section {_number(notice)}",
    )


def _instructor_assigned(notice: Notification, seen: str) -> MessageContent:
    person = one_line(notice.instructor or "", _TITLE_LIMIT)
    return MessageContent(
        subject=f"{f'Now taught by {person}' if person else 'Instructor assigned'}: {_name(notice)}",
        headline=f"Now taught by {person}" if person else "An instructor is assigned",
        lead=f"{_name(notice)} had no named instructor. "
        + (f"The catalog now lists {person}." if person else "The catalog now lists one."),
        preheader=f"Seen {seen}.",
        caution=f"This is what the catalog showed at {seen}; departments do change assignments.",
        facts=_facts(notice, seen),
        action=f"See section {_number(notice)}",
    )


def _section_retired(notice: Notification, seen: str) -> MessageContent:
    return MessageContent(
        subject=f"No longer listed: {_name(notice)}",
        headline="No longer listed",
        lead=f"{_name(notice)} has disappeared from the catalog. "
        "We looked several times before writing to you.",
        preheader=f"Gone from the catalog, as of {seen}. It may have been cancelled or renumbered.",
        caution="It may have been cancelled, merged or renumbered: if you hold a seat, ask the department.",
        facts=_facts(notice, seen),
        action="",
    )


def _age(age: timedelta) -> str:
    """How long before the mail something was seen, where that is long enough to matter; else nothing."""
    if age < _OLD:
        return ""
    minutes = age // timedelta(minutes=1)
    if minutes < _TWO_HOURS_MINUTES:
        return f" ({minutes} minutes before this mail was written)"
    return f" ({minutes // 60} hours before this mail was written)"


def _term_ended(notice: Notification) -> MessageContent:
    term, count = one_line(notice.key.term, _COURSE_LIMIT), notice.ended_watches
    ended = "Your watch on it has ended" if count == 1 else f"Your {count} watches on it have ended"
    return MessageContent(
        subject=f"Term {term} has ended",
        headline=f"Term {term} has ended",
        lead=f"The catalog no longer lists the term {term}. {ended}.",
        preheader=f"{ended}. You need not do anything.",
        caution="You need not do anything. For another term, add new watches.",
        facts=(("Term", term), ("Watches", str(count))),
        action="",
    )


def _name(notice: Notification) -> str:
    course = one_line(notice.details.course, _COURSE_LIMIT)
    title = one_line(notice.details.title, _TITLE_LIMIT)
    name = " — ".join(part for part in (course, title) if part)
    return f"{name} (section {_number(notice)})" if name else f"Section {_number(notice)}"


def _number(notice: Notification) -> str:
    return one_line(notice.key.number, _COURSE_LIMIT)


def _seats(notice: Notification) -> str:
    seats, capacity = notice.open_seats, notice.capacity
    if seats is None:
        return "" if capacity is None else f"{capacity} in all"
    if capacity is None:
        return f"{seats} open {'seat' if seats == 1 else 'seats'}"
    return f"{seats} of {capacity} seats open"


def _room(notice: Notification) -> str:
    return "room" if notice.open_seats is None else _seats(notice)


def _instructor(notice: Notification) -> str:
    """Empty where the catalog never said: unknown is not "nobody"."""
    return (
        "Staff (not yet assigned)" if notice.instructor == UNASSIGNED else one_line(notice.instructor or "")
    )


def _facts(notice: Notification, seen: str) -> tuple[tuple[str, str], ...]:
    details = notice.details
    rows = (
        ("Course", one_line(details.course)),
        ("Title", one_line(details.title)),
        ("Section", _number(notice)),
        ("Term", one_line(notice.key.term, _COURSE_LIMIT)),
        ("Seats", "" if notice.kind is NotificationKind.SECTION_RETIRED else _seats(notice)),
        ("Instructor", _instructor(notice)),
        ("Times", one_line(details.meeting_times)),
        ("Place", one_line(details.location)),
        ("Seen", seen),
    )
    return tuple((label, value) for label, value in rows if value)
