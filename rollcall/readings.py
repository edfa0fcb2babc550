"""What one look at the running system finds; what cannot be read says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from domain.payment import PaymentTroubles
from operations.expectations import RunTimes, SourceReading
from operations.unread import Unread
from resilience.permit import BreakerSnapshot
from resilience.queues import QueueReading
from store.outbox import Backlog, Losses
from store.pauses import Pause

_MIN_FREE_RATIO, _MIN_FREE_BYTES = 0.10, 200_000_000


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on the file system of the home, in bytes."""

    path: Path
    free: int
    total: int

    @property
    def is_nearly_full(self) -> bool:
        """Whether somebody should make room."""
        return self.free < _MIN_FREE_BYTES or self.free < self.total * _MIN_FREE_RATIO


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
    jobs: int | Unread
    payments: PaymentTroubles | Unread = field(default_factory=PaymentTroubles)

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
