"""What a section's history meant for its watches: which change was news to whom, and why it was not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from domain.history import HistoryEntry
from domain.notification_policy import SAME_INSTRUCTOR, SAME_OPENING, unwanted
from domain.observation import UNASSIGNED
from domain.section_state import InstructorAssigned, SeatsIncreased, SectionEvent
from store.audit import AuditEntry
from store.watches import StoredWatch

_NO_EPISODE = 0  # the history does not count them


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """What changed between two sightings, as `domain.section_state` sees it; it may be nothing that is told."""

    before: HistoryEntry
    after: HistoryEntry
    changes: tuple[SectionEvent, ...]


def history_steps(history: Sequence[HistoryEntry]) -> Iterator[HistoryStep]:
    """The turns of `history`, both the newest first."""
    for after, before in pairwise(history):
        yield HistoryStep(before, after, (*_rise(before, after), *_assignment(before, after)))


def describe(seen: HistoryEntry) -> str:
    """A sighting in words."""
    seats = "seats unknown" if seen.open_seats is None else f"{seen.open_seats} open"
    capacity = "" if seen.capacity is None else f" of {seen.capacity}"
    if seen.instructor is None:
        return seats + capacity
    return f"{seats}{capacity}, taught by {seen.instructor or 'nobody yet'}"


def explain(
    stored: StoredWatch, change: SectionEvent, at: datetime, operated: Collection[AuditEntry]
) -> str | None:
    """Why `change`, seen at `at`, was not told to a watch that has no notification of it.

    None where the watch was not there to be told. Its wishes are taken as they are now; `operated` is what
    operators did to it.
    """
    if at < stored.created_at or (stored.ended_at is not None and at >= stored.ended_at):
        return None
    reason = unwanted(stored.watch, change)
    if reason is not None:
        return reason
    if _was_paused(at, operated):
        return "it was paused"
    return SAME_INSTRUCTOR if isinstance(change, InstructorAssigned) else SAME_OPENING


def _rise(before: HistoryEntry, after: HistoryEntry) -> tuple[SectionEvent, ...]:
    if before.open_seats is None or after.open_seats is None or after.open_seats <= before.open_seats:
        return ()
    return (SeatsIncreased(before.open_seats, after.open_seats, _NO_EPISODE),)


def _assignment(before: HistoryEntry, after: HistoryEntry) -> tuple[SectionEvent, ...]:
    if before.instructor != UNASSIGNED or not after.instructor:
        return ()
    return (InstructorAssigned(after.instructor, _NO_EPISODE),)


def _was_paused(at: datetime, operated: Collection[AuditEntry]) -> bool:
    """Whether the last word before `at` was a pause that held then."""
    words = [each for each in operated if each.action in {"watch.pause", "watch.resume"} and each.at <= at]
    last = max(words, key=lambda entry: entry.at, default=None)
    if last is None or last.action == "watch.resume":
        return False
    return at < last.at + timedelta(seconds=last.detail["seconds"])
