"""What one look at the running system finds; what cannot be read says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from resilience.permit import BreakerSnapshot
from resilience.queues import QueueReading
from store.outbox import Backlog, Losses
from store.pauses import Pause
from store.watches import Audience


@dataclass(frozen=True, slots=True)
class Unread:
    """What came in place of a reading."""

    error: str


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on the file system of the home, in bytes."""

    path: Path
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class RunTimes:
    """When runs should have come since (None: nobody asks for any), and when one last finished.

    `two_ago` is when the last two whole intervals began.
    """

    expected_since: datetime | None
    finished_at: datetime | None
    two_ago: datetime

    @property
    def is_late(self) -> bool:
        """Whether none has finished in two intervals."""
        last = [at for at in (self.expected_since, self.finished_at) if at is not None]
        return self.expected_since is not None and max(last) < self.two_ago


@dataclass(frozen=True, slots=True)
class SourceReading:
    """When a source last said anything, who waits for it, and since when it is silent (None: it is not).

    `patience` is one interval: what was paused is asked again within it.
    """

    last_success_at: datetime | None
    audience: Audience | None
    silent_since: datetime | None
    patience: timedelta


@dataclass(frozen=True, slots=True)
class Readings:
    """One look at everything. The names of the fields are the first part of the conditions' names."""

    now: datetime
    breakers: list[BreakerSnapshot] | Unread
    pauses: Mapping[str, Pause] | Unread
    queues: Mapping[str, QueueReading] | Unread
    losses: Losses | Unread
    runs: RunTimes | Unread
    outbox: Backlog | Unread
    sources: Mapping[str, SourceReading] | Unread
    disk: Disk | Unread
    workers: int | Unread

    def pause(self, name: str) -> Pause | None:
        """The pause of `name` of which there is something to tell, or None."""
        pause = None if isinstance(self.pauses, Unread) else self.pauses.get(name)
        return pause if pause is not None and (pause.is_ours or pause.is_in_force(self.now)) else None

    def affected(self, source: str) -> str:
        """How many people what is wrong with `source` keeps waiting, in words; empty where unknown."""
        reading = None if isinstance(self.sources, Unread) else self.sources.get(source)
        return "" if reading is None or reading.audience is None else _waiting(reading.audience.people)


def _waiting(people: int) -> str:
    return f" People who watch its sections: {people}."
