"""The content of a message, shared by its text and its HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from domain.notification import Notification
from domain.text import one_line
from domain.watch import NotificationKind
from notifications.facts import (
    NAME_LIMIT,
    TITLE_LIMIT,
    course_of,
    free_places,
    name_of,
    number_of,
    rows_of,
    seats_of,
    seen_at,
    true_at,
    waitlist_of,
)


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


@dataclass(frozen=True, slots=True)
class _Sighting:
    """What every message states: when the section was seen, since when that holds, and the facts."""

    seen: str
    true_at: str
    facts: tuple[tuple[str, str], ...]


def content_for(
    notification: Notification, now: datetime, zone: tzinfo = UTC, school: str = ""
) -> MessageContent:
    """The content for `notification` at `now`, with times in `zone`; an old observation states its age.

    Shape: `school` is the name of the school, empty if unknown. Text from the catalog is reduced to short,
    plain lines.
    """
    seen = seen_at(notification, now, zone)
    sighting = _Sighting(seen, true_at(notification, seen, zone), rows_of(notification, seen, zone, school))
    if notification.ended_watches:
        return _term_ended(notification)
    return _CONTENTS[notification.kind](notification, sighting)


def _seat_available(notification: Notification, sighting: _Sighting) -> MessageContent:
    seats = notification.open_seats
    is_plural = seats is not None and seats > 1
    headline = f"{seats} seats are open" if is_plural else "A seat is open"
    had = f"had {seats_of(notification)}" if seats is not None else "had open seats"
    if not notification.is_counted:
        headline, had = "Seats are open", "was open"
    is_single = notification.is_counted and not is_plural
    return MessageContent(
        subject=f"{headline}: {name_of(notification)}",
        headline=headline,
        lead=f"{name_of(notification)} {had} at our last check."
        + ("" if notification.is_counted else " The catalog does not say how many seats are left."),
        preheader=f"Seen {sighting.seen}. Open seats go fast.",
        caution=f"Open seats go fast. {sighting.true_at}; "
        f"someone may have taken {'it' if is_single else 'them'} since.",
        facts=sighting.facts,
        action=f"Enrol in section {number_of(notification)}",
    )


def _waitlist_available(notification: Notification, sighting: _Sighting) -> MessageContent:
    places = notification.waitlist_places or 1
    headline = "A place on the waitlist is free" if places == 1 else f"{places} waitlist places are free"
    is_full = " has no open seat, but" if notification.open_seats == 0 else ":"
    return MessageContent(
        subject=f"{headline}: {name_of(notification)}",
        headline=headline,
        lead=f"{name_of(notification)}{is_full} you can join its waitlist: {waitlist_of(notification)}.",
        preheader=f"Seen {sighting.seen}. Free places go fast.",
        caution=f"This is a place in the queue, not a seat. {sighting.true_at}; "
        f"someone may have taken {'it' if places == 1 else 'them'} since.",
        facts=sighting.facts,
        action=f"Join the waitlist of section {number_of(notification)}",
    )


def _instructor_assigned(notification: Notification, sighting: _Sighting) -> MessageContent:
    person = one_line(notification.instructor or "", TITLE_LIMIT)
    return MessageContent(
        subject=f"{f'Now taught by {person}' if person else 'Instructor assigned'}: {name_of(notification)}",
        headline=f"Now taught by {person}" if person else "An instructor is assigned",
        lead=f"{name_of(notification)} had no named instructor. "
        + (f"The catalog now lists {person}." if person else "The catalog now lists one."),
        preheader=f"Seen {sighting.seen}.",
        caution=f"This is what the catalog showed at {sighting.seen}; departments can change assignments.",
        facts=sighting.facts,
        action=f"See section {number_of(notification)}",
    )


def _section_retired(notification: Notification, sighting: _Sighting) -> MessageContent:
    return MessageContent(
        subject=f"No longer listed: {name_of(notification)}",
        headline="No longer listed",
        lead=f"{name_of(notification)} has disappeared from the catalog. "
        "Several checks in a row did not find it.",
        preheader=f"Gone from the catalog, as of {sighting.seen}. It may have been cancelled or renumbered.",
        caution="It may have been cancelled, merged or renumbered: if you hold a seat, ask the department.",
        facts=sighting.facts,
        action="",
    )


def _seat_filled(notification: Notification, sighting: _Sighting) -> MessageContent:
    places = notification.waitlist_places
    waitlist = "" if not places else f" Its waitlist has {free_places(places)}."
    return MessageContent(
        subject=f"Full: {name_of(notification)}",
        headline="The last seat is taken",
        lead=f"{name_of(notification)} had open seats and has none now.{waitlist}",
        preheader=f"Seen {sighting.seen}.",
        caution=f"{sighting.true_at}. People drop courses until the term begins: a seat may open again.",
        facts=sighting.facts,
        action=f"See section {number_of(notification)}",
    )


def _section_added(notification: Notification, sighting: _Sighting) -> MessageContent:
    course, seats = course_of(notification), notification.open_seats
    new = f"new section of {course}" if course else "new section"
    has = f"It has {seats_of(notification)}." if notification.is_counted and seats is not None else ""
    if not notification.is_counted:
        has = f"It is {seats_of(notification)}."
    return MessageContent(
        subject=f"New section: {name_of(notification)}",
        headline=f"A {new}",
        lead=" ".join(filter(None, (f"The catalog lists a {new}.", has, "Rollcall watches it for you now."))),
        preheader=f"Seen {sighting.seen}. {has}".strip(),
        caution=f"{sighting.true_at}. Departments can still change a new section.",
        facts=sighting.facts,
        action=f"{'Enrol in' if seats else 'See'} section {number_of(notification)}",
    )


def _term_ended(notification: Notification) -> MessageContent:
    term, count = one_line(notification.key.term, NAME_LIMIT), notification.ended_watches
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


_CONTENTS: Mapping[NotificationKind, Callable[[Notification, _Sighting], MessageContent]] = {
    NotificationKind.SEAT_AVAILABLE: _seat_available,
    NotificationKind.WAITLIST_AVAILABLE: _waitlist_available,
    NotificationKind.INSTRUCTOR_ASSIGNED: _instructor_assigned,
    NotificationKind.SECTION_RETIRED: _section_retired,
    NotificationKind.SEAT_FILLED: _seat_filled,
    NotificationKind.SECTION_ADDED: _section_added,
}
