"""The way of each notification, from seen to delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from actors.services import Services
from domain.notification import NotificationState
from operations.timeline.event import Event, EventType
from store.notifications.deliveries import StoredNotification
from store.timeline import DeliveryReport

_UNREPORTED = {NotificationState.SUPPRESSED, NotificationState.DEAD}


def events(services: Services, notices: Sequence[StoredNotification]) -> Iterator[Event]:
    """What happened to `notices`, in no order."""
    sent = [stored.provider_id for stored in notices if stored.provider_id is not None]
    reports: dict[str, list[DeliveryReport]] = {}
    for report in services.store.timelines.reports(sent):
        reports.setdefault(report.provider_id, []).append(report)
    for stored in notices:
        yield from _way(stored, reports.get(stored.provider_id or "", []))


def _way(stored: StoredNotification, reports: Sequence[DeliveryReport]) -> Iterator[Event]:
    notice = stored.notice
    event = partial(Event, section=notice.key, watch_id=notice.watch_id, notification_id=notice.id)
    told = f"{notice.kind} to {notice.email}"
    waits = f", waits until {stored.due_at:%H:%M:%S} UTC for the cooldown"
    yield event(
        stored.created_at, EventType.QUEUED, told + (waits if stored.due_at > stored.created_at else "")
    )
    if stored.sent_at is not None:
        yield event(stored.sent_at, EventType.SENT, f"{told}, as {stored.provider_id}")
    for report in reports:
        yield event(report.at, EventType.REPORTED, _with(f"{report.kind}: {told}", report.reason))
    if stored.settled_at is not None and stored.state in _UNREPORTED:
        yield event(stored.settled_at, EventType.SETTLED, _with(f"{stored.state}: {told}", stored.reason))


def _with(text: str, reason: str | None) -> str:
    return text if reason is None else f"{text} ({reason})"
