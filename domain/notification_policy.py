"""Who is notified of a change, and why not. Pure.

The store asks `objection` before it writes a notification; the timeline asks it afterwards, to explain why
there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.changes import Change, InstructorAssigned, SeatsRose
from domain.watch import Watch, kind_of

SAME_OPENING = "it was told of this opening before"
SAME_INSTRUCTOR = "the last notification named the same instructor"


@dataclass(frozen=True, slots=True)
class Notified:
    """The notifications of one kind that a watch has had so far.

    Shape: `episode` is the newest; `withdrawn_episode` is one that was withdrawn because its seats were
    gone, and that its own opening may bring back. `left_at` is when a message of this kind last left.
    `instructor` is the one last named to the watch by a notification that was not withdrawn.
    """

    episode: int = -1
    withdrawn_episode: int = -1
    left_at: datetime | None = None
    instructor: str | None = None

    def is_withdrawn(self, episode: int) -> bool:
        """Whether `episode` is the newest, and was withdrawn."""
        return episode == self.episode == self.withdrawn_episode


NEVER = Notified()


def objection(watch: Watch, change: Change, notified: Notified) -> str | None:
    """Why `change` is no news to `watch`, or None when it is."""
    return unwanted(watch, change) or repeated(change, notified)


def unwanted(watch: Watch, change: Change) -> str | None:
    """Why `watch` does not ask for `change`, or None when it does: seats count as they reach its minimum."""
    if kind_of(change) not in watch.kinds:
        return f"it does not want {kind_of(change)}"
    if isinstance(change, SeatsRose) and change.after < watch.min_seats:
        return f"it waits for {watch.min_seats} seats"
    if isinstance(change, SeatsRose) and change.before >= watch.min_seats:
        return "seats enough were open before"
    return None


def repeated(change: Change, notified: Notified) -> str | None:
    """Why `change` repeats what `notified` has said already, or None when it does not.

    An episode of seats is an opening, and news each time. An assignment is news when it names another
    instructor than the last notification did.
    """
    if isinstance(change, InstructorAssigned) and change.instructor == notified.instructor:
        return SAME_INSTRUCTOR
    if change.episode > notified.episode or notified.is_withdrawn(change.episode):
        return None
    return SAME_OPENING


def due_at(notified: Notified, now: datetime, cooldown: timedelta) -> datetime:
    """When a notification that is written `now` may leave: not within `cooldown` of the one before.

    A departure ahead of `now` was stamped by a clock that ran ahead; it counts as one that left just now, so
    that it keeps nobody waiting for longer than `cooldown`.
    """
    return now if notified.left_at is None else max(now, min(notified.left_at, now) + cooldown)
