"""One notice and what renders it, to vary from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from domain.notification import Notification, OutboundMessage
from domain.observation import Details
from domain.section import SectionKey
from domain.watch import NotificationKind
from notifications.messages import Renderer
from notifications.unsubscribe_links import UnsubscribeLinks

LINKS = UnsubscribeLinks("https://rollcall.example.edu", "a secret of the test")
RENDERER = Renderer(
    "Rollcall <rollcall@example.edu>", LINKS, "https://enrol.example.edu/{source}/{term}?class={section}"
)
NOTICE = Notification(
    id=41,
    watch_id=7,
    email="ada@example.edu",
    kind=NotificationKind.SEAT_AVAILABLE,
    key=SectionKey("scraper", "2261", "12431"),
    episode=2,
    observed_at=datetime(2026, 1, 15, 9, 30, tzinfo=UTC),
    open_seats=3,
    capacity=30,
    instructor="Grace Hopper",
    details=Details("CSE 100", "Advanced Data Structures", "Center Hall 101", "MoWeFr 10:00-10:50"),
)


def notification(**changes: Any) -> Notification:
    return replace(NOTICE, **changes)


def message(**changes: Any) -> OutboundMessage:
    return RENDERER.render(notification(**changes), NOTICE.observed_at)


def messages(count: int) -> list[OutboundMessage]:
    return [message(id=number, email=f"student{number}@example.edu") for number in range(count)]
