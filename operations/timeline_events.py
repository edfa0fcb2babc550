"""Events of timelines: watch lifecycles, observations, notifications, operations.

A change of a section without a notification carries the reason for each watch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import pairwise

from actors.services import Services
from domain.history import HistoryEntry
from domain.notification import NotificationState
from domain.notification_policy import SAME_INSTRUCTOR, SAME_OPENING, unmet_preference
from domain.observation import UNASSIGNED
from domain.run import Run, RunState
from domain.section import SectionKey, Stagger
from domain.section_state import InstructorAssigned, SeatsIncreased, SectionEvent
from domain.watch import NotificationKind, kind_of
from store.audit import AuditEntry
from store.notifications.deliveries import StoredNotification
from store.timeline import DeliveryReport
from store.watches import StoredWatch


class EventType(StrEnum):
    """The type of an event, in one word."""

    SEEN = "seen"
    CHANGED = "changed"
    QUEUED = "queued"
    SENT = "sent"
    REPORTED = "reported"
    SETTLED = "settled"
    SILENT = "silent"
    WATCHED = "watched"
    ENDED = "ended"
    RUN = "run"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Event:
    """An event, or the absence of one; `text` describes it, the other fields link to more."""

    at: datetime
    what: EventType
    text: str
    section: SectionKey | None = None
    watch_id: int | None = None
    notification_id: int | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events, newest first; `standing` is what blocks notifications at this moment."""

    title: str
    standing: list[str]
    events: list[Event]


def newest_first(events: Iterable[Event]) -> list[Event]:
    """Return `events` newest first; of the same moment, the later effect comes first."""
    order = list(EventType)
    return sorted(events, key=lambda event: (event.at, order.index(event.what)), reverse=True)


_UNREPORTED = {NotificationState.SUPPRESSED, NotificationState.DEAD}


def events(services: Services, notifications: Sequence[StoredNotification]) -> Iterator[Event]:
    """Return the events of `notifications`, unordered."""
    sent = [stored.provider_id for stored in notifications if stored.provider_id is not None]
    reports: dict[str, list[DeliveryReport]] = {}
    for report in services.store.timelines.reports(sent):
        reports.setdefault(report.provider_id, []).append(report)
    for stored in notifications:
        yield from _delivery_events(stored, reports.get(stored.provider_id or "", []))


def _delivery_events(stored: StoredNotification, reports: Sequence[DeliveryReport]) -> Iterator[Event]:
    notification = stored.notification
    event = partial(
        Event, section=notification.key, watch_id=notification.watch_id, notification_id=notification.id
    )
    subject = f"{notification.kind} to {notification.email}"
    waits = f", waits until {stored.due_at:%H:%M:%S} UTC for the cooldown"
    yield event(
        stored.created_at, EventType.QUEUED, subject + (waits if stored.due_at > stored.created_at else "")
    )
    if stored.sent_at is not None:
        yield event(stored.sent_at, EventType.SENT, f"{subject}, as {stored.provider_id}")
    for report in reports:
        yield event(report.at, EventType.REPORTED, _with_reason(f"{report.kind}: {subject}", report.reason))
    if stored.completed_at is not None and stored.state in _UNREPORTED:
        yield event(
            stored.completed_at, EventType.SETTLED, _with_reason(f"{stored.state}: {subject}", stored.reason)
        )


def _with_reason(text: str, reason: str | None) -> str:
    return text if reason is None else f"{text} ({reason})"


_NO_EPISODE = 0  # the history does not count them


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """The changes between two observations (`domain.section_state`), not all notified."""

    before: HistoryEntry
    after: HistoryEntry
    changes: tuple[SectionEvent, ...]


def history_steps(history: Sequence[HistoryEntry]) -> Iterator[HistoryStep]:
    """Return the steps of `history`; both are newest first."""
    for after, before in pairwise(history):
        yield HistoryStep(before, after, (*_rise(before, after), *_assignment(before, after)))


def describe(seen: HistoryEntry) -> str:
    """Describe an observation in words."""
    seats = "seats unknown" if seen.open_seats is None else f"{seen.open_seats} open"
    capacity = "" if seen.capacity is None else f" of {seen.capacity}"
    if seen.instructor is None:
        return seats + capacity
    return f"{seats}{capacity}, taught by {seen.instructor or 'no one yet'}"


def explain(
    stored: StoredWatch, change: SectionEvent, at: datetime, operated: Collection[AuditEntry]
) -> str | None:
    """Return why a watch without a notification of `change`, seen at `at`, was not notified of it.

    None when the watch did not exist then. It assumes the watch's current preferences; `operated` are the
    operators' actions on it.
    """
    if at < stored.created_at or (stored.ended_at is not None and at >= stored.ended_at):
        return None
    reason = unmet_preference(stored.watch, change)
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
    """Return whether a pause was in force at `at`, by the last action before it."""
    words = [each for each in operated if each.action in {"watch.pause", "watch.resume"} and each.at <= at]
    last = max(words, key=lambda entry: entry.at, default=None)
    if last is None or last.action == "watch.resume":
        return False
    return at < last.at + timedelta(seconds=last.detail["seconds"])


History = Sequence[HistoryEntry]
Notified = AbstractSet[tuple[NotificationKind, datetime]]


def lifecycle(stored: StoredWatch) -> Iterator[Event]:
    """Return the creation and the end of a watch."""
    watch = stored.watch
    preferences = f"{', '.join(watch.kinds)}, from {watch.min_seats} seats"
    text = f"{watch.email} watches {watch.key}: {preferences}"
    yield Event(stored.created_at, EventType.WATCHED, text, watch.key, stored.id)
    if stored.ended_at is not None:
        text = f"the watch of {watch.email} ended: {stored.ended_reason}"
        yield Event(stored.ended_at, EventType.ENDED, text, watch.key, stored.id)


def observations(key: SectionKey, history: History, first_seen_at: datetime | None) -> Iterator[Event]:
    """Return a section's distinct observations, as far back as the timeline goes."""
    for turn in history_steps(history):
        what = EventType.CHANGED if turn.changes else EventType.SEEN
        yield Event(turn.after.observed_at, what, f"{describe(turn.before)} → {describe(turn.after)}", key)
    if history:
        oldest = history[-1]
        is_first = oldest.stamp == first_seen_at
        before = "first seen" if is_first else "older observations are not shown, then"
        yield Event(oldest.observed_at, EventType.SEEN, f"{before}: {describe(oldest)}", key)


def unsent(
    stored: StoredWatch, history: History, notified: Notified, operated: Sequence[AuditEntry]
) -> Iterator[Event]:
    """Return the changes that a watch was not notified of, with the reasons."""
    for change, seen in _unnotified(history, notified):
        why = explain(stored, change, seen.observed_at, operated)
        if why is not None:
            text = f"{kind_of(change)} not sent to {stored.watch.email}: {why}"
            yield Event(seen.observed_at, EventType.SILENT, text, stored.watch.key, stored.id)


def catalog_outages(
    key: SectionKey,
    watches: Sequence[StoredWatch],
    history: History,
    notified: Notified,
    operated: Mapping[int, Sequence[AuditEntry]],
) -> Iterator[Event]:
    """Return the changes that no watch was notified of, with the reasons; `operated` is by watch."""
    for change, seen in _unnotified(history, notified):
        at = seen.observed_at
        reasons = {explain(each, change, at, operated.get(each.id, ())) for each in watches} - {None}
        text = "; ".join(sorted(map(str, reasons))) or "there was no active watch"
        yield Event(at, EventType.SILENT, f"{kind_of(change)} sent to no watch: {text}", key)


def operations(entries: Sequence[AuditEntry]) -> Iterator[Event]:
    """Return the operators' actions."""
    for entry in entries:
        yield Event(entry.at, EventType.OPERATOR, f"{entry.action} by {entry.by}")


def recorded(services: Services, *subjects: str) -> list[AuditEntry]:
    """Return the operators' actions on `subjects`, newest first."""
    return [record.entry for record in services.store.audit.on(subjects)]


def recorded_of_each(services: Services, watches: Sequence[StoredWatch]) -> dict[int, list[AuditEntry]]:
    """Return all operators' actions on each of `watches`."""
    ids = {f"watch/{stored.id}": stored.id for stored in watches}
    found: dict[int, list[AuditEntry]] = defaultdict(list)
    for record in services.store.audit.on(ids, limit=None):
        found[ids[record.entry.subject]].append(record.entry)
    return found


def gaps(services: Services, key: SectionKey, history: History) -> Iterator[Event]:
    """Return the runs that may have skipped the section, as far back as its history goes."""
    if history:
        since = history[-1].observed_at
        for run in services.store.timelines.incomplete([key.stagger, Stagger.ALL], since):
            yield Event(run.finished_at or run.created_at, EventType.RUN, _incomplete(run), run_id=run.id)


def _unnotified(history: History, notified: Notified) -> Iterator[tuple[SectionEvent, HistoryEntry]]:
    for turn in history_steps(history):
        for change in turn.changes:
            if (kind_of(change), turn.after.stamp) not in notified:
                yield change, turn.after


def _incomplete(run: Run) -> str:
    reason = f": {run.reason}" if run.reason else ""
    if run.state in {RunState.SKIPPED, RunState.FAILED}:
        return f"run {run.state}{reason}"
    return f"run left out {run.failed + run.deferred} of {run.sections} sections{reason}"
