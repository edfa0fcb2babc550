"""Timelines and their events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.section import SectionKey


class EventType(StrEnum):
    """What an event is, in one word."""

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
    """One thing that happened, or did not; `text` tells it, the rest says what to look at next."""

    at: datetime
    what: EventType
    text: str
    section: SectionKey | None = None
    watch_id: int | None = None
    notification_id: int | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened, the newest first; `standing` says what keeps news from going out at this moment."""

    title: str
    standing: list[str]
    events: list[Event]


def newest_first(events: Iterable[Event]) -> list[Event]:
    """`events` in the order of a timeline; of the same moment, what followed stands above."""
    order = list(EventType)
    return sorted(events, key=lambda event: (event.at, order.index(event.what)), reverse=True)
