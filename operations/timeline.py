"""Timelines of a watch, a section, an address and a notification, with missing notifications explained.

Each timeline also lists what blocks notifications at this moment; the list is empty when nothing does.
Raises: InvalidInputError, from each `of_…`, for an unknown subject.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from actors.services import Services
from domain.address import checked_address
from domain.errors import InvalidInputError
from domain.history import HistoryEntry
from domain.notification import MAIL
from domain.section import SectionKey
from domain.section_state import Anomaly, SectionState
from domain.text import format_minute
from operations import timeline_events
from operations.timeline_events import Event, EventType, Timeline, describe, newest_first
from operations.watches import seen_at
from store.watches import StoredWatch

_DOUBTED = {
    Anomaly.CAPACITY: "It lost its capacity",
    Anomaly.FULL: "It became full",
    Anomaly.OPEN: "It opened",
    Anomaly.UNASSIGNED: "It lost its instructor",
}


def status_of_section(services: Services, state: SectionState, watchers: int) -> Iterator[str]:
    """Return why a section might not be checked."""
    if state.retired:
        yield "The catalog no longer lists it: it is checked once a day."
    elif not watchers:
        yield "It has no active watch: it is not checked."
    else:
        if seen_at(state) is None:
            yield "It was never observed: its first observation will be a baseline, without notifications."
        for anomaly in state.anomalies:
            yield f"{_DOUBTED[anomaly]} with many others of its term at once: further checks must confirm it."
        if state.misses:
            last = "time" if state.misses == 1 else f"{state.misses} times"
            yield f"The catalog did not have it the last {last}."
    yield from _held(services, state.key.source, "It is not checked")


def status_of_watch(services: Services, stored: StoredWatch) -> Iterator[str]:
    """Return why a watch might not be notified."""
    if stored.ended_at is not None:
        yield f"The watch has ended: {stored.ended_reason}."
        return
    if stored.paused_until is not None and stored.is_paused(services.clock.now()):
        yield f"The watch is paused until {format_minute(stored.paused_until)}."
    seats, wanted = stored.section.open_seats, stored.watch.min_seats
    if seats is not None and seats >= wanted:
        are_open = "1 seat is" if seats == 1 else f"{seats} seats are"
        yield f"{are_open} open already: the next opening is news again."
    yield from status_of_address(services, stored.watch.email)


def status_of_address(services: Services, email: str) -> Iterator[str]:
    """Return why mail to an address might not be sent."""
    reason = services.store.deliveries.suppression(email)
    if reason is not None:
        yield f"Mail to {email} is suppressed: {reason}."
    yield from _held(services, MAIL, "No mail leaves")


def _held(services: Services, name: str, consequence: str) -> Iterator[str]:
    pause = services.store.pauses.paused(name, services.clock.now())
    if pause is not None:
        yield f"{consequence}: {name} is paused until {format_minute(pause.until)} ({pause.reason})."
    breaker = services.breakers.get(name)
    snapshot = None if breaker is None else breaker.snapshot()
    if snapshot is not None and snapshot.state != "closed":
        last = "" if snapshot.last_error is None else f" The last error: {snapshot.last_error}."
        yield f"{consequence}: the breaker of {name} is {snapshot.state.replace('_', ' ')}.{last}"


def of_watch(services: Services, watch_id: int) -> Timeline:
    """One watch: its section's observations since its creation, and the notifications of them."""
    stored = services.store.watches.get(watch_id)
    if stored is None:
        raise InvalidInputError({"watch_id": f"there is no watch {watch_id}"})
    key = stored.watch.key
    history, timelines = services.store.sections.history(key), services.store.timelines
    operated = timeline_events.recorded(services, f"watch/{watch_id}")
    seen = timeline_events.observations(key, history, timelines.first_seen_at(key))
    of_its_section = chain(seen, timeline_events.gaps(services, key, history))
    events = [
        *timeline_events.lifecycle(stored),
        *timeline_events.events(services, timelines.notifications([watch_id])),
        *(event for event in of_its_section if event.at >= stored.created_at),
        *timeline_events.unsent(stored, history, timelines.notified([watch_id]), operated),
        *timeline_events.operations(operated),
    ]
    holds = [*status_of_section(services, stored.section, 1), *status_of_watch(services, stored)]
    return Timeline(f"Watch {watch_id}: {stored.watch.email}, {key}", holds, newest_first(events))


def of_section(services: Services, key: SectionKey) -> Timeline:
    """One section: its observations, and the watches that they notified."""
    state = services.store.sections.get(key)
    if state is None:
        raise InvalidInputError({"section": f"{key} was never watched"})
    watches = services.store.watches.all_on(key)
    history, timelines = services.store.sections.history(key), services.store.timelines
    ids, operated = [stored.id for stored in watches], timeline_events.recorded_of_each(services, watches)
    events = [
        *timeline_events.observations(key, history, timelines.first_seen_at(key)),
        *timeline_events.events(services, timelines.notifications(ids)),
        *timeline_events.catalog_outages(key, watches, history, timelines.notified(ids), operated),
        *timeline_events.operations(timeline_events.recorded(services, f"section/{key.path}")),
        *timeline_events.gaps(services, key, history),
        *chain.from_iterable(map(timeline_events.lifecycle, watches)),
    ]
    active = sum(stored.ended_at is None for stored in watches)
    holds = list(status_of_section(services, state, active))
    return Timeline(f"Section {key}", holds, newest_first(events))


def of_address(services: Services, email: str) -> Timeline:
    """One person: every watch, and everything that was sent to them."""
    address = checked_address("email", email)
    watches = services.store.watches.all_of(address)
    notifications = services.store.timelines.notifications([stored.id for stored in watches])
    subjects = [f"address/{address}", *(f"watch/{stored.id}" for stored in watches)]
    events = [
        *chain.from_iterable(map(timeline_events.lifecycle, watches)),
        *timeline_events.events(services, notifications),
        *timeline_events.operations(timeline_events.recorded(services, *subjects)),
    ]
    return Timeline(f"Mail to {address}", list(status_of_address(services, address)), newest_first(events))


def of_notification(services: Services, notification_id: int) -> Timeline:
    """One notification, from its observation to its delivery."""
    stored = services.store.deliveries.get(notification_id)
    if stored is None:
        raise InvalidInputError({"notification_id": f"there is no notification {notification_id}"})
    notification = stored.notification
    seen = HistoryEntry(
        notification.observed_at, notification.open_seats, notification.capacity, notification.instructor
    )
    events = [
        Event(seen.observed_at, EventType.SEEN, describe(seen), notification.key, notification.watch_id),
        *timeline_events.events(services, [stored]),
    ]
    is_waiting = stored.sent_at is None and stored.completed_at is None
    holds = list(status_of_address(services, notification.email)) if is_waiting else []
    title = f"Notification {notification_id}: {notification.kind} of {notification.key}"
    return Timeline(title, holds, newest_first(events))
