"""The timelines of a watch, a section, an address and a notification.

Raises: InvalidInputError, from each, when there is no such thing.
"""

from __future__ import annotations

from itertools import chain

from actors.services import Services
from domain.address import checked_address
from domain.errors import InvalidInputError
from domain.history import HistoryEntry
from domain.section import SectionKey
from operations.timeline import happenings, letters, standing
from operations.timeline.changes import describe
from operations.timeline.event import Event, EventType, Timeline, newest_first


def of_watch(services: Services, watch_id: int) -> Timeline:
    """One watch: what was seen of its section since it was made, and what it was told of that."""
    stored = services.store.watches.get(watch_id)
    if stored is None:
        raise InvalidInputError({"watch_id": f"there is no watch {watch_id}"})
    key = stored.watch.key
    history, timelines = services.store.sections.history(key), services.store.timelines
    operated = happenings.recorded(services, f"watch/{watch_id}")
    seen = happenings.observations(key, history, timelines.first_seen_at(key))
    of_its_section = chain(seen, happenings.gaps(services, key, history))
    events = [
        *happenings.lifecycle(stored),
        *letters.events(services, timelines.notices([watch_id])),
        *(event for event in of_its_section if event.at >= stored.created_at),
        *happenings.unsent(stored, history, timelines.told([watch_id]), operated),
        *happenings.operations(operated),
    ]
    holds = [*standing.of_section(services, stored.section, 1), *standing.of_watch(services, stored)]
    return Timeline(f"Watch {watch_id}: {stored.watch.email}, {key}", holds, newest_first(events))


def of_section(services: Services, key: SectionKey) -> Timeline:
    """One section: what was seen of it, and which of its watches that was news to."""
    state = services.store.sections.get(key)
    if state is None:
        raise InvalidInputError({"section": f"nobody ever watched {key}"})
    watches = services.store.watches.all_on(key)
    history, timelines = services.store.sections.history(key), services.store.timelines
    ids, operated = [stored.id for stored in watches], happenings.recorded_of_each(services, watches)
    events = [
        *happenings.observations(key, history, timelines.first_seen_at(key)),
        *letters.events(services, timelines.notices(ids)),
        *happenings.catalog_outages(key, watches, history, timelines.told(ids), operated),
        *happenings.operations(happenings.recorded(services, f"section/{key}")),
        *happenings.gaps(services, key, history),
        *chain.from_iterable(map(happenings.lifecycle, watches)),
    ]
    living = sum(stored.ended_at is None for stored in watches)
    holds = list(standing.of_section(services, state, living))
    return Timeline(f"Section {key}", holds, newest_first(events))


def of_address(services: Services, email: str) -> Timeline:
    """One person: every watch, and everything that they were sent."""
    address = checked_address("email", email)
    watches = services.store.watches.all_of(address)
    notices = services.store.timelines.notices([stored.id for stored in watches])
    subjects = [f"address/{address}", *(f"watch/{stored.id}" for stored in watches)]
    events = [
        *chain.from_iterable(map(happenings.lifecycle, watches)),
        *letters.events(services, notices),
        *happenings.operations(happenings.recorded(services, *subjects)),
    ]
    return Timeline(f"Mail to {address}", list(standing.of_address(services, address)), newest_first(events))


def of_notification(services: Services, notification_id: int) -> Timeline:
    """One notification, from the sighting that caused it to what became of its letter."""
    stored = services.store.deliveries.get(notification_id)
    if stored is None:
        raise InvalidInputError({"notification_id": f"there is no notification {notification_id}"})
    notice = stored.notice
    seen = HistoryEntry(notice.observed_at, notice.open_seats, notice.capacity, notice.instructor)
    events = [
        Event(seen.observed_at, EventType.SEEN, describe(seen), notice.key, notice.watch_id),
        *letters.events(services, [stored]),
    ]
    is_waiting = stored.sent_at is None and stored.settled_at is None
    holds = list(standing.of_address(services, notice.email)) if is_waiting else []
    title = f"Notification {notification_id}: {notice.kind} of {notice.key}"
    return Timeline(title, holds, newest_first(events))
