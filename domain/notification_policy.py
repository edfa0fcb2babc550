"""Which watches are notified of an event, and why others are not. Pure.

The store asks `skip_reason` before it writes a notification, and `outdated` before its message is first sent.
The timeline asks `objection` afterwards, to explain why there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.section_state import InstructorAssigned, SeatsIncreased, SectionEvent
from domain.watch import NotificationKind, Watch, kind_of

GONE_AGAIN = "the seats were gone again before the mail left"
"""Withdrawal reason of a notification that its own opening may restore."""

NOT_LISTED = "the section was no longer listed before the mail left"
LISTED_AGAIN = "the section was listed again before the mail left"
UNASSIGNED_AGAIN = "the instructor was removed again before the mail was sent"
SAME_OPENING = "the watch was already notified of this opening"
SAME_INSTRUCTOR = "the last notification named the same instructor"


@dataclass(frozen=True, slots=True)
class Notified:
    """The notifications of one kind that a watch has had so far.

    Shape: `episode` is the newest; `withdrawn_episode` is one that was withdrawn because its seats were
    gone, and that its own opening may restore. `last_sent_at` is when a message of this kind was last sent.
    `instructor` is the last one named by a notification that was not withdrawn.
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
    """Why `watch` does not want `change`, or None if it does: seats count when they reach its minimum."""
    if kind_of(change) not in watch.kinds:
        return f"it does not want {kind_of(change)}"
    if isinstance(change, SeatsIncreased) and change.after < watch.min_seats:
        return f"it waits for {watch.min_seats} seats"
    if isinstance(change, SeatsIncreased) and change.before >= watch.min_seats:
        return "seats enough were open before"
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


@dataclass(frozen=True, slots=True)
class UnsentNotification:
    """A notification that has not been sent: its episode and content."""

    kind: NotificationKind
    episode: int
    min_seats: int
    instructor: str | None


def outdated(unsent: UnsentNotification, now: SectionSnapshot) -> str | None:
    """Why `unsent` is no longer true, or None while it is.

    Only the current state `now` decides, regardless of how long and why the notification waited.
    """
    match unsent.kind:
        case NotificationKind.SEAT_AVAILABLE if now.retired:
            return NOT_LISTED
        case NotificationKind.SEAT_AVAILABLE:
            is_open = now.openings == unsent.episode and (now.open_seats or 0) >= unsent.min_seats
            return None if is_open else GONE_AGAIN
        case NotificationKind.INSTRUCTOR_ASSIGNED:
            return None if _is_still_assigned(unsent, now) else UNASSIGNED_AGAIN
        case NotificationKind.SECTION_RETIRED:
            is_retired = now.retired and now.retirements == unsent.episode
            return None if is_retired else LISTED_AGAIN


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
