"""`SystemSnapshot`, the input of the checks. `operations.status` reads it.

Each part is read on its own: one that could not be read is `Unavailable` and hides no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from domain.alert import Alert
from domain.catalog_poll import TermPoll
from domain.errors import UnreachableError
from domain.money import PaymentFailures
from domain.run import Run
from domain.term import Presence, Term
from domain.text import describe
from resilience.breaker_model import BreakerSnapshot
from resilience.heartbeats import TICKED_AT, Heartbeat
from resilience.lease import LeaseHolder
from resilience.queues import QueueStats
from store.catalogs.drills import Drill
from store.notifications.outbox import Backlog, Losses
from store.pauses import Pause
from store.sections.states import UnknownSections
from store.watches import Audience

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Replaces a value that could not be read."""

    error: str


class UnavailableError(Exception):
    """A check needs a value that could not be read."""


def read_or_unavailable(read: Callable[[], T]) -> T | Unavailable:
    """Return the result of `read`, or why it could not be read."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - whatever it is, the snapshot reports it
        return Unavailable(describe(error))


class Server:
    """A server that several values come from: after it is unreachable once, it is not tried again."""

    def __init__(self) -> None:
        self._away: Unavailable | None = None

    def read(self, read: Callable[[], T]) -> T | Unavailable:
        """As `read_or_unavailable`; after an UnreachableError it returns the same at once."""
        if self._away is not None:
            return self._away
        try:
            return read()
        except UnreachableError as error:
            self._away = Unavailable(describe(error))
            return self._away
        except Exception as error:  # noqa: BLE001 - as in `read_or_unavailable`
            return Unavailable(describe(error))


def required(value: T | Unavailable) -> T:
    """Return `value`. Raises: UnavailableError when it could not be read."""
    if isinstance(value, Unavailable):
        raise UnavailableError(value.error)
    return value


_MIN_FREE_RATIO, _MIN_FREE_BYTES = 0.10, 200_000_000


@dataclass(frozen=True, slots=True)
class RunSchedule:
    """Since when runs are expected (None: nothing triggers any), and when one last succeeded.

    Shape: `two_ago` is the start of the last two whole intervals; in a budgeted system these are hours. A run
    that checked nothing has finished and not succeeded (`domain.run.Run.is_success`).
    """

    expected_since: datetime | None
    finished_at: datetime | None
    succeeded_at: datetime | None
    two_ago: datetime

    @property
    def is_late(self) -> bool:
        """Return whether no run has succeeded in two intervals."""
        last = [at for at in (self.expected_since, self.succeeded_at) if at is not None]
        return self.expected_since is not None and max(last) < self.two_ago


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The run in progress, the last ended run, and when the next is due (None: none is scheduled).

    Shape: `oldest_check_at` is when the section that has waited longest was checked, where the check schedule
    chooses the sections of runs (`is_budgeted`).
    """

    current: Run | None
    last: Run | None
    next_at: datetime | None
    times: RunSchedule
    is_budgeted: bool = False
    oldest_check_at: datetime | None = None

    @property
    def schedule(self) -> str:
        """Describe when sections are checked."""
        if self.is_budgeted:
            return "budget: where seats open, each section within three hours"
        return "stagger: even and odd sections in turn"


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """When a source last answered, who waits for it, and since when it is silent (None: it is not).

    Shape: `patience` is one interval: after a pause the source is asked again within it. `has_runs`: runs
    check its sections; a catalog that is polled has none.
    """

    last_success_at: datetime | None
    audience: Audience | None
    silent_since: datetime | None
    patience: timedelta
    has_runs: bool = True


@dataclass(frozen=True, slots=True)
class CatalogBudget:
    """The requests of this UTC day to the host of a polled catalog: made, and left of its limit."""

    made: int
    left: int


class SourceState(StrEnum):
    """Whether a source answers; the one definition for every page and command."""

    PAUSED = "paused"
    FAILING = "failing"
    SILENT = "silent"
    ANSWERS = "answers"
    NOT_ASKED = "not asked yet"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Disk:
    """Space on the home's file system, in bytes."""

    path: Path
    free: int
    total: int

    @property
    def is_nearly_full(self) -> bool:
        """Return whether an operator should free space."""
        return self.free < _MIN_FREE_BYTES or self.free < self.total * _MIN_FREE_RATIO


@dataclass(frozen=True, slots=True)
class BackupAge:
    """The last backup's time and file; without one, the installation's creation and None."""

    at: datetime
    file: str | None


@dataclass(frozen=True, slots=True)
class DatabaseErrors:
    """The recent database errors of the live processes, and the text of one of the last."""

    count: int
    last: str = ""


@dataclass(frozen=True, slots=True)
class SystemSnapshot:
    """The system's state at one moment; an `Unavailable` part hides no other.

    Shape: `database`, `redis` and `broker` are "ok" or the reason of their failure. `processes` has the live
    processes of each role. `pauses` holds those in force, and Rollcall's own until a success ends them, by
    the source's name or "mail"; `alerts` are the raised ones. `terms` are those that seem over,
    `unknown_sections` each source's sections that it never listed, `guards` those terms of polled catalogs
    whose answers are withheld, `proposed_terms` the labels of terms that an operator may use next, `drills`
    the last fire drills of the catalogs. `clocks`
    has by host the seconds its clock is ahead of Redis, and under "database" the seconds the database is
    ahead of this host. `backup` is None where the installation has no folder. `is_managed` is
    whether systemd starts the roles.
    """

    now: datetime
    database: str | Unavailable
    redis: str | Unavailable
    broker: str | Unavailable
    database_errors: DatabaseErrors | Unavailable
    runs: RunStatus | Unavailable
    processes: Mapping[str, Sequence[Heartbeat]] | Unavailable
    queues: Mapping[str, QueueStats] | Unavailable
    breakers: list[BreakerSnapshot] | Unavailable
    lease: LeaseHolder | Unavailable | None
    sources: Mapping[str, SourceStatus] | Unavailable
    pauses: Mapping[str, Pause] | Unavailable
    outbox: Backlog | Unavailable
    losses: Losses | Unavailable
    payments: PaymentFailures | Unavailable
    disk: Disk | Unavailable | None
    clocks: Mapping[str, float] | Unavailable
    alerts: list[Alert] | Unavailable
    transport: str
    is_scheduled: bool
    is_managed: bool = False
    backup: BackupAge | Unavailable | None = None
    terms: Mapping[Term, Presence] | Unavailable = field(default_factory=dict)
    unknown_sections: Mapping[str, UnknownSections] | Unavailable = field(default_factory=dict)
    budgets: Mapping[str, CatalogBudget] | Unavailable = field(default_factory=dict)
    guards: Mapping[Term, TermPoll] | Unavailable = field(default_factory=dict)
    drills: Mapping[str, Drill] | Unavailable = field(default_factory=dict)
    proposed_terms: Mapping[Term, str] | Unavailable = field(default_factory=dict)

    @property
    def workers(self) -> Sequence[Heartbeat] | Unavailable:
        """Live worker processes."""
        return self.processes if isinstance(self.processes, Unavailable) else self.processes["worker"]

    @property
    def last_tick_at(self) -> datetime | None:
        """When a scheduler last finished its tick. Raises: UnavailableError."""
        beats = self.alive("scheduler")
        ticks = [float(beat.facts[TICKED_AT]) for beat in beats if TICKED_AT in beat.facts]
        return datetime.fromtimestamp(max(ticks), UTC) if ticks else None

    def alive(self, role: str) -> Sequence[Heartbeat]:
        """Return the live processes of `role`. Raises: UnavailableError."""
        return required(self.processes)[role]

    def breaker(self, name: str) -> BreakerSnapshot | None:
        """Return the breaker `name`, or None for an unknown name."""
        known = [] if isinstance(self.breakers, Unavailable) else self.breakers
        return next((snapshot for snapshot in known if snapshot.name == name), None)

    def pause(self, name: str) -> Pause | None:
        """Return the pause of `name` in force, or None."""
        found = self.unresolved_pause(name)
        return found if found is not None and found.is_in_force(self.now) else None

    def unresolved_pause(self, name: str) -> Pause | None:
        """As `pause`, but also an expired pause of Rollcall's own whose cause may persist."""
        return None if isinstance(self.pauses, Unavailable) else self.pauses.get(name)

    def source_state(self, name: str) -> SourceState:
        """Return whether `name` answers: its last request succeeded, and its breaker is closed."""
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
        """Describe how many people wait while `source` is unavailable; empty where unknown."""
        status = None if isinstance(self.sources, Unavailable) else self.sources.get(source)
        return "" if status is None or status.audience is None else _waiting(status.audience.people)


def _waiting(people: int) -> str:
    return f" People who watch its sections: {people}."
