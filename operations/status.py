"""The state of everything at one moment: what an operator looks at first.

A handful of statements and round trips; what costs more is in `operations.trends`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.alert import Alert, AlertState
from domain.run import Run
from operations import breakers, expectations
from operations.expectations import RunTimes, SourceReading
from operations.room import ControlRoom
from operations.unread import Unread, tried
from resilience.heartbeat import Heartbeat
from resilience.lease import LeaseHolder
from resilience.permit import BreakerSnapshot
from resilience.queues import QueueReading
from store.outbox import Backlog
from store.pauses import Pause

_LATEST = 20


@dataclass(frozen=True, slots=True)
class RunReading:
    """The run under way, the last that ended, and when the next is due (None: nobody has timed any)."""

    current: Run | None
    last: Run | None
    next_at: datetime | None
    times: RunTimes


@dataclass(frozen=True, slots=True)
class Status:
    """One look at everything; what could not be read is `Unread`, and hides nothing else.

    Shape: `schedulers` and `jobs` count live processes; `pauses` are those in force, by the source's name or
    "mail"; `alerts` those that are raised.
    """

    now: datetime
    runs: RunReading | Unread
    workers: list[Heartbeat] | Unread
    schedulers: int | Unread
    jobs: int | Unread
    queues: Mapping[str, QueueReading] | Unread
    breakers: list[BreakerSnapshot] | Unread
    lease: LeaseHolder | Unread | None
    sources: Mapping[str, SourceReading] | Unread
    pauses: Mapping[str, Pause] | Unread
    outbox: Backlog | Unread
    alerts: list[Alert] | Unread
    transport: str
    is_scheduled: bool

    def breaker(self, name: str) -> BreakerSnapshot | None:
        """The breaker `name`, or None where it is unknown."""
        known = [] if isinstance(self.breakers, Unread) else self.breakers
        return next((snapshot for snapshot in known if snapshot.name == name), None)

    def pause(self, name: str) -> Pause | None:
        """The pause of `name` that is in force, or None."""
        return None if isinstance(self.pauses, Unread) else self.pauses.get(name)


def read(room: ControlRoom) -> Status:
    """Read everything once."""
    services = room.services
    store, now = services.store, services.clock.now()
    return Status(
        now=now,
        runs=tried(lambda: _runs(room, now)),
        workers=tried(lambda: room.heartbeats.alive("worker")),
        schedulers=tried(lambda: len(room.heartbeats.alive("scheduler"))),
        jobs=tried(lambda: len(room.heartbeats.alive("jobs"))),
        queues=tried(room.queues),
        breakers=tried(lambda: breakers.read(services)),
        lease=tried(services.cron_lease.held),
        sources=tried(lambda: expectations.sources(services, is_scheduled=room.is_scheduled)),
        pauses=tried(lambda: _in_force(store.pauses.kept(), now)),
        outbox=tried(store.outbox.backlog),
        alerts=tried(lambda: [found for found in store.alerts.all() if found.state is AlertState.RAISED]),
        transport=services.mailer.name,
        is_scheduled=room.is_scheduled,
    )


def _runs(room: ControlRoom, now: datetime) -> RunReading:
    services = room.services
    latest, _ = services.store.runs.page(None, _LATEST)
    return RunReading(
        current=next((run for run in latest if not run.state.is_final), None),
        last=next((run for run in latest if run.state.is_final), None),
        next_at=services.timetable.next_slot(now) if room.is_scheduled else None,
        times=expectations.run_times(services, is_scheduled=room.is_scheduled),
    )


def _in_force(kept: Mapping[str, Pause], now: datetime) -> dict[str, Pause]:
    return {name: pause for name, pause in kept.items() if pause.is_in_force(now)}
