"""How the running system is read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from domain.errors import UnreachableError
from domain.section import Stagger
from resilience.permit import BreakerSnapshot
from resilience.queues import QueueReading
from rollcall.readings import Disk, Readings, RunTimes, SourceReading, Unread
from rollcall.wiring import System
from store.watches import Audience

LOSSES_WINDOW = timedelta(hours=1)
T = TypeVar("T")


def read(system: System, queues: Callable[[], Mapping[str, QueueReading]]) -> Readings:
    """Read everything once."""
    store, now = system.services.store, system.services.clock.now()
    return Readings(
        now=now,
        breakers=_tried(lambda: _breakers(system)),
        pauses=_tried(store.pauses.kept),
        queues=_tried(queues),
        losses=_tried(lambda: store.outbox.losses(now - LOSSES_WINDOW)),
        runs=_tried(lambda: run_times(system)),
        outbox=_tried(store.outbox.backlog),
        sources=_tried(lambda: sources(system)),
        disk=_tried(lambda: _disk(system.settings.home)),
        workers=_tried(lambda: len(system.heartbeats.alive("worker"))),
    )


def run_times(system: System) -> RunTimes:
    """When runs were expected and finished. Without the scheduler they are, once one came over HTTP."""
    runs, timetable, now = system.services.store.runs, system.timetable, system.services.clock.now()
    trigger = None if system.settings.scheduler == "on" else "http"
    return RunTimes(
        expected_since=runs.first_opened_at(trigger),
        finished_at=runs.last_finished_at(),
        two_ago=timetable.slot_before(Stagger.ALL, now, 2),
    )


def sources(system: System) -> dict[str, SourceReading]:
    """Each source's reading. One may watch but even sections: two intervals of the slower half count."""
    store, now = system.services.store, system.services.clock.now()
    seen, audiences = store.sections.last_success(), store.watches.audiences()
    expected_since = run_times(system).expected_since
    two_ago = min(system.timetable.slot_before(half, now, 2) for half in (Stagger.EVEN, Stagger.ODD))
    interval = system.timetable.slot(Stagger.ALL, now) - system.timetable.slot_before(Stagger.ALL, now, 1)
    found = {}
    for name in system.services.sources:
        audience = audiences.get(name)
        since = _heard(seen.get(name), audience, expected_since)
        is_silent = since is not None and since < two_ago
        found[name] = SourceReading(seen.get(name), audience, since if is_silent else None, interval)
    return found


def _heard(
    seen_at: datetime | None, audience: Audience | None, expected_since: datetime | None
) -> datetime | None:
    """Since when there should have been news of a source; None while nobody waits for any."""
    if audience is None or expected_since is None:
        return None
    return max(at for at in (seen_at, audience.since, expected_since) if at is not None)


def _breakers(system: System) -> list[BreakerSnapshot]:
    snapshots = [breaker.snapshot() for breaker in system.services.breakers.values()]
    if any(snapshot.scope != "fleet" for snapshot in snapshots):
        raise UnreachableError("Redis cannot be reached, and each process decides for itself")
    return snapshots


def _disk(home: Path) -> Disk:
    usage = shutil.disk_usage(home)
    return Disk(home, usage.free, usage.total)


def _tried(reading: Callable[[], T]) -> T | Unread:
    try:
        return reading()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return Unread(f"{type(error).__name__}: {error}")
