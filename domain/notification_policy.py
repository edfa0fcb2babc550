"""Which watches are notified of an event, and why others are not. Pure.

The store asks `skip_reason` before it writes a notification, and `outdated` before its message is first sent.
The timeline asks `objection` afterwards, to explain why there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.section_state import InstructorAssigned, SeatsIncreased, SectionEvent, Waitlist, WaitlistOpened
from domain.watch import NotificationKind, Watch, kind_of

GONE_AGAIN = "the seats were gone again before the mail left"
PLACES_GONE_AGAIN = "the places on the waitlist were gone again before the mail was sent"
RESTORABLE = (GONE_AGAIN, PLACES_GONE_AGAIN)
"""Withdrawal reasons of a notification that its own opening may restore."""

OPEN_AGAIN = "a seat was open again before the mail was sent"
NOT_LISTED = "the section was no longer listed before the mail left"
LISTED_AGAIN = "the section was listed again before the mail left"
UNASSIGNED_AGAIN = "the instructor was removed again before the mail was sent"
SAME_OPENING = "the watch was already notified of this opening"
SAME_INSTRUCTOR = "the last notification named the same instructor"


@dataclass(frozen=True, slots=True)
class Notified:
    """The notifications of one kind that a watch has had so far.

    Shape: `episode` is the newest; `withdrawn_episode` is one that was withdrawn for a `RESTORABLE` reason.
    `last_sent_at` is when a message of this kind was last sent. `instructor` is the last one named by a
    notification that was not withdrawn.
    """

    episode: int = -1
    withdrawn_episode: int = -1
    last_sent_at: datetime | None = None
    instructor: str | None = None

    def is_withdrawn(self, episode: int) -> bool:
        """Whether `episode` is the newest and was withdrawn."""
        return episode == self.episode == self.withdrawn_episode


NEVER = Notified()


def skip_reason(watch: Watch, change: SectionEvent, notified: Notified) -> str | None:
    """Why `watch` is not notified of `change`, or None if it is."""
    return unmet_preference(watch, change) or duplicate_reason(change, notified)


def unmet_preference(watch: Watch, change: SectionEvent) -> str | None:
    """Why `watch` does not want `change`, or None if it does."""
    if kind_of(change) not in watch.kinds:
        return f"it does not want {kind_of(change)}"
    match change:
        case SeatsIncreased():
            return _unmet_by_seats(watch, change)
        case WaitlistOpened():
            return _unmet_by_waitlist(watch, change)
    return None


def _unmet_by_seats(watch: Watch, change: SeatsIncreased) -> str | None:
    """Seats count when they reach the minimum of `watch`."""
    if change.after < watch.min_seats:
        return f"it waits for {watch.min_seats} seats"
    if change.before >= watch.min_seats:
        return "seats enough were open before"
    return missing_unreserved(watch, change.unreserved_seats)


def missing_unreserved(watch: Watch, unreserved_seats: int | None) -> str | None:
    """Why a section with so many unreserved seats does not satisfy `watch`, or None if it does."""
    if not watch.unreserved_only:
        return None
    if unreserved_seats is None:
        return "it waits for unreserved seats, and the catalog does not state whether these are reserved"
    if unreserved_seats < watch.min_seats:
        return f"it waits for {watch.min_seats} unreserved seats"
    return None


def _unmet_by_waitlist(watch: Watch, change: WaitlistOpened) -> str | None:
    """Places count when the first one is free and few enough wait, or when few enough wait again."""
    reason = too_long(watch, change.after)
    if reason is not None:
        return reason
    was_open = bool(change.before.places)
    before, limit = change.before.length, watch.max_waitlist
    is_first = not was_open or (limit is not None and before is not None and before > limit)
    return None if is_first else "the waitlist was open before"


def too_long(watch: Watch, waitlist: Waitlist) -> str | None:
    """Why `waitlist` is too long for `watch`, or None if it is not."""
    limit = watch.max_waitlist
    if limit is None:
        return None
    if waitlist.length is None:
        return f"it waits for a waitlist of at most {limit}, and the catalog does not state how many wait"
    if waitlist.length > limit:
        return f"it waits for a waitlist of at most {limit}"
    return None


def duplicate_reason(change: SectionEvent, notified: Notified) -> str | None:
    """Why `change` repeats an earlier notification in `notified`, or None if it does not.

    Each opening causes a new notification. An assignment causes one if its instructor differs from that of
    the last notification.
    """
    if isinstance(change, InstructorAssigned) and change.instructor == notified.instructor:
        return SAME_INSTRUCTOR
    if change.episode > notified.episode or notified.is_withdrawn(change.episode):
        return None
    return SAME_OPENING


@dataclass(frozen=True, slots=True)
class SectionSnapshot:
    """The current state of a section, as far as its notifications depend on it."""

    open_seats: int | None
    openings: int
    instructor: str | None
    assignments: int
    retired: bool
    retirements: int
    unreserved_seats: int | None = None
    waitlist_places: int | None = None
    waitlist_length: int | None = None
    waitlist_openings: int = 0
    fillings: int = 0


@dataclass(frozen=True, slots=True)
class UnsentNotification:
    """A notification that has not been sent: its watch, episode and content."""

    watch: Watch
    kind: NotificationKind
    episode: int
    instructor: str | None


def outdated(unsent: UnsentNotification, now: SectionSnapshot) -> str | None:
    """Why `unsent` is no longer true, or None while it is.

    Only the current state `now` decides, regardless of how long and why the notification waited.
    """
    is_true, reason = True, ""
    match unsent.kind:
        case NotificationKind.INSTRUCTOR_ASSIGNED:
            is_true, reason = _is_still_assigned(unsent, now), UNASSIGNED_AGAIN
        case NotificationKind.SECTION_RETIRED:
            is_true, reason = now.retired and now.retirements == unsent.episode, LISTED_AGAIN
        case _ if now.retired:
            is_true, reason = False, NOT_LISTED
        case NotificationKind.SEAT_AVAILABLE:
            is_true, reason = _is_still_open(unsent, now), GONE_AGAIN
        case NotificationKind.WAITLIST_AVAILABLE:
            is_true, reason = _is_still_joinable(unsent, now), PLACES_GONE_AGAIN
        case NotificationKind.SEAT_FILLED:
            is_true, reason = now.fillings == unsent.episode and now.open_seats == 0, OPEN_AGAIN
    return None if is_true else reason


def _is_still_open(unsent: UnsentNotification, now: SectionSnapshot) -> bool:
    is_open = now.openings == unsent.episode and (now.open_seats or 0) >= unsent.watch.min_seats
    return is_open and missing_unreserved(unsent.watch, now.unreserved_seats) is None


def _is_still_joinable(unsent: UnsentNotification, now: SectionSnapshot) -> bool:
    waitlist = Waitlist(now.waitlist_places, now.waitlist_length)
    is_open = now.waitlist_openings == unsent.episode and bool(waitlist.places)
    return is_open and too_long(unsent.watch, waitlist) is None


def _is_still_assigned(unsent: UnsentNotification, now: SectionSnapshot) -> bool:
    """A later assignment has its own notification, unless it names the same instructor."""
    if unsent.episode == now.assignments:
        return bool(now.instructor)
    return now.instructor == unsent.instructor


def due_at(notified: Notified, now: datetime, cooldown: timedelta) -> datetime:
    """When a notification created `now` may be sent: not within `cooldown` of the previous one.

    A previous time in the future comes from a clock that ran ahead; it counts as `now`, so the wait never
    exceeds `cooldown`.
    """
    return now if notified.last_sent_at is None else max(now, min(notified.last_sent_at, now) + cooldown)
