"""What the checks judge: one snapshot of the system's state. Reading it is `operations.status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from domain.alert import Alert
from domain.money import PaymentTroubles
from domain.run import Run
from domain.term import Presence, Term
from observability.checks.unavailable import Unavailable
from resilience.breaker_model import BreakerSnapshot
from resilience.heartbeats import Heartbeat
from resilience.lease import LeaseHolder
from resilience.queues import QueueStats
from store.notifications.outbox import Backlog, Losses
from store.pauses import Pause
from store.sections.states import UnknownSections
from store.watches import Audience

_MIN_FREE_RATIO, _MIN_FREE_BYTES = 0.10, 200_000_000


@dataclass(frozen=True, slots=True)
class RunSchedule:
    """When runs have been expected since (None: nothing asks for any), and when one last ended well.

    Shape: `two_ago` is when the last two whole intervals began. A run that checked nothing has finished and
    not succeeded (`domain.run.Run.is_success`).
    """

    expected_since: datetime | None
    finished_at: datetime | None
    succeeded_at: datetime | None
    two_ago: datetime

    @property
    def is_late(self) -> bool:
        """Whether none has succeeded in two intervals."""
        last = [at for at in (self.expected_since, self.succeeded_at) if at is not None]
        return self.expected_since is not None and max(last) < self.two_ago


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The run in progress, the last that ended, and when the next is due (None: none is scheduled)."""

    current: Run | None
    last: Run | None
    next_at: datetime | None
    times: RunSchedule


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """When a source last answered, who waits for it, and since when it is silent (None: it is not).

    Shape: `patience` is one interval: what was paused is asked again within it.
    """

    last_success_at: datetime | None
    audience: Audience | None
    silent_since: datetime | None
    patience: timedelta


class SourceState(StrEnum):
    """Whether a source answers, the one definition for every page and command."""

    PAUSED = "paused"
    FAILING = "failing"
    SILENT = "silent"
    ANSWERS = "answers"
    NOT_ASKED = "not asked yet"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on the file system of the home, in bytes."""

    path: Path
    free: int
    total: int

    @property
    def is_nearly_full(self) -> bool:
        """Whether an operator should make room."""
        return self.free < _MIN_FREE_BYTES or self.free < self.total * _MIN_FREE_RATIO


@dataclass(frozen=True, slots=True)
class DatabaseErrors:
    """The errors that the live processes have met lately, and the text of one of the last."""

    count: int
    last: str = ""


@dataclass(frozen=True, slots=True)
class SystemSnapshot:
    """The state of everything at one moment; an `Unavailable` part hides nothing else.

    Shape: `database`, `redis` and `broker` are "ok", or say why they do not serve. `schedulers` and `jobs`
    count live processes; `last_tick_at` is when a scheduler last finished its tick. `pauses` holds those in
    force and Rollcall's own until a success ends them, by the source's name or "mail"; `alerts` those raised.
    `terms` are those that seem over, `unknown_sections` those of each source that it never listed.
    `clocks` says by how many seconds the clock of each host is ahead of Redis', and "database" that of the
    database ahead of this host's.
    """

    now: datetime
    database: str | Unavailable
    redis: str | Unavailable
    broker: str | Unavailable
    database_errors: DatabaseErrors | Unavailable
    runs: RunStatus | Unavailable
    workers: list[Heartbeat] | Unavailable
    schedulers: int | Unavailable
    last_tick_at: datetime | Unavailable | None
    jobs: int | Unavailable
    queues: Mapping[str, QueueStats] | Unavailable
    breakers: list[BreakerSnapshot] | Unavailable
    lease: LeaseHolder | Unavailable | None
    sources: Mapping[str, SourceStatus] | Unavailable
    pauses: Mapping[str, Pause] | Unavailable
    outbox: Backlog | Unavailable
    losses: Losses | Unavailable
    payments: PaymentTroubles | Unavailable
    disk: Disk | Unavailable | None
    clocks: Mapping[str, float] | Unavailable
    alerts: list[Alert] | Unavailable
    transport: str
    is_scheduled: bool
    terms: Mapping[Term, Presence] | Unavailable = field(default_factory=dict)
    unknown_sections: Mapping[str, UnknownSections] | Unavailable = field(default_factory=dict)

    def breaker(self, name: str) -> BreakerSnapshot | None:
        """The breaker `name`, or None where it is unknown."""
        known = [] if isinstance(self.breakers, Unavailable) else self.breakers
        return next((snapshot for snapshot in known if snapshot.name == name), None)

    def pause(self, name: str) -> Pause | None:
        """The pause of `name` that is in force, or None."""
        found = self.unresolved_pause(name)
        return found if found is not None and found.is_in_force(self.now) else None

    def unresolved_pause(self, name: str) -> Pause | None:
        """As `pause`, also one of Rollcall's own whose time is over and whose cause may not be."""
        return None if isinstance(self.pauses, Unavailable) else self.pauses.get(name)

    def source_state(self, name: str) -> SourceState:
        """Whether `name` answers: its last request has succeeded, and its breaker is closed."""
        status = None if isinstance(self.sources, Unavailable) else self.sources.get(name)
        breaker = self.breaker(name)
        if status is None or breaker is None or isinstance(self.pauses, Unavailable):
            return SourceState.UNKNOWN
        if self.pause(name) is not None:
            return SourceState.PAUSED
        if breaker.state != "closed" or breaker.failures:
            return SourceState.FAILING
        if status.silent_since is not None:
            return SourceState.SILENT
        return SourceState.NOT_ASKED if status.last_success_at is None else SourceState.ANSWERS

    def affected(self, source: str) -> str:
        """How many people wait while `source` is in trouble, in words; empty where unknown."""
        status = None if isinstance(self.sources, Unavailable) else self.sources.get(source)
        return "" if status is None or status.audience is None else _waiting(status.audience.people)


def _waiting(people: int) -> str:
    return f" People who watch its sections: {people}."
