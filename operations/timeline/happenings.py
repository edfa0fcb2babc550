"""What happened, as events: to watches, to sections, by operators, and what did not happen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from actors.services import Services
from domain.history import HistoryEntry
from domain.run import Run, RunState
from domain.section import SectionKey, Stagger
from domain.section_state import SectionEvent
from domain.watch import NotificationKind, kind_of
from operations.timeline.changes import describe, explain, history_steps
from operations.timeline.event import Event, EventType
from store.audit import AuditEntry
from store.watches import StoredWatch

History = Sequence[HistoryEntry]
Told = AbstractSet[tuple[NotificationKind, datetime]]


def lifecycle(stored: StoredWatch) -> Iterator[Event]:
    """That a watch was made, and that it ended."""
    watch = stored.watch
    wishes = f"{', '.join(watch.kinds)}, from {watch.min_seats} seats"
    text = f"{watch.email} watches {watch.key}: {wishes}"
    yield Event(stored.created_at, EventType.WATCHED, text, watch.key, stored.id)
    if stored.ended_at is not None:
        text = f"the watch of {watch.email} ended: {stored.ended_reason}"
        yield Event(stored.ended_at, EventType.ENDED, text, watch.key, stored.id)


def observations(key: SectionKey, history: History, first_seen_at: datetime | None) -> Iterator[Event]:
    """What was seen of a section, each time that it was another than before, as far back as is shown."""
    for turn in history_steps(history):
        what = EventType.CHANGED if turn.changes else EventType.SEEN
        yield Event(turn.after.observed_at, what, f"{describe(turn.before)} → {describe(turn.after)}", key)
    if history:
        oldest = history[-1]
        is_first = oldest.stamp == first_seen_at
        before = "first seen" if is_first else "older sightings are not shown, then"
        yield Event(oldest.observed_at, EventType.SEEN, f"{before}: {describe(oldest)}", key)


def unsent(
    stored: StoredWatch, history: History, told: Told, operated: Sequence[AuditEntry]
) -> Iterator[Event]:
    """The changes that a watch was not told of, and why."""
    for change, seen in _untold(history, told):
        why = explain(stored, change, seen.observed_at, operated)
        if why is not None:
            text = f"{kind_of(change)} not told to {stored.watch.email}: {why}"
            yield Event(seen.observed_at, EventType.SILENT, text, stored.watch.key, stored.id)


def catalog_outages(
    key: SectionKey,
    watches: Sequence[StoredWatch],
    history: History,
    told: Told,
    operated: Mapping[int, Sequence[AuditEntry]],
) -> Iterator[Event]:
    """The changes that nobody was told of, and why; `operated` is what operators did to each watch."""
    for change, seen in _untold(history, told):
        at = seen.observed_at
        reasons = {explain(each, change, at, operated.get(each.id, ())) for each in watches} - {None}
        text = "; ".join(sorted(map(str, reasons))) or "nobody watched it"
        yield Event(at, EventType.SILENT, f"{kind_of(change)} told to nobody: {text}", key)


def operations(entries: Sequence[AuditEntry]) -> Iterator[Event]:
    """What operators did."""
    for entry in entries:
        yield Event(entry.at, EventType.OPERATOR, f"{entry.action} by {entry.by}")


def recorded(services: Services, *subjects: str) -> list[AuditEntry]:
    """What operators did to `subjects`, the newest first."""
    return [record.entry for record in services.store.audit.on(subjects)]


def recorded_of_each(services: Services, watches: Sequence[StoredWatch]) -> dict[int, list[AuditEntry]]:
    """All that operators did to each of `watches`."""
    ids = {f"watch/{stored.id}": stored.id for stored in watches}
    found: dict[int, list[AuditEntry]] = defaultdict(list)
    for record in services.store.audit.on(ids, limit=None):
        found[ids[record.entry.subject]].append(record.entry)
    return found


def gaps(services: Services, key: SectionKey, history: History) -> Iterator[Event]:
    """The runs that may have left it out, as far back as its history goes."""
    if history:
        half = Stagger.EVEN if key.is_even else Stagger.ODD
        since = history[-1].observed_at
        for run in services.store.timelines.incomplete([half, Stagger.ALL], since):
            yield Event(run.finished_at or run.created_at, EventType.RUN, _incomplete(run), run_id=run.id)


def _untold(history: History, told: Told) -> Iterator[tuple[SectionEvent, HistoryEntry]]:
    for turn in history_steps(history):
        for change in turn.changes:
            if (kind_of(change), turn.after.stamp) not in told:
                yield change, turn.after


def _incomplete(run: Run) -> str:
    reason = f": {run.reason}" if run.reason else ""
    if run.state in {RunState.SKIPPED, RunState.FAILED}:
        return f"run {run.state}{reason}"
    return f"run left out {run.failed + run.deferred} of {run.sections} sections{reason}"
