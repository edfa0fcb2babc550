"""How the running system is read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from actors.services import Store
from domain.payment import PaymentTroubles
from operations import expectations
from operations.breakers import read as read_breakers
from operations.expectations import RunTimes, SourceReading
from operations.unread import tried
from resilience.permit import BreakerSnapshot
from resilience.queues import QueueReading
from rollcall.readings import Disk, Readings
from rollcall.wiring import System

LOSSES_WINDOW = timedelta(hours=1)
TROUBLES_WINDOW = timedelta(days=1)
SLOW_REFUND = timedelta(days=5)


def read(system: System, queues: Callable[[], Mapping[str, QueueReading]]) -> Readings:
    """Read everything once."""
    store, now = system.services.store, system.services.clock.now()
    return Readings(
        now=now,
        breakers=tried(lambda: breakers(system)),
        pauses=tried(store.pauses.kept),
        queues=tried(queues),
        losses=tried(lambda: store.outbox.losses(now - LOSSES_WINDOW)),
        runs=tried(lambda: run_times(system)),
        outbox=tried(store.outbox.backlog),
        sources=tried(lambda: sources(system)),
        disk=tried(lambda: disk(system.settings.home)),
        workers=tried(lambda: len(system.heartbeats.alive("worker"))),
        jobs=tried(lambda: len(system.heartbeats.alive("jobs"))),
        payments=tried(lambda: payment_troubles(store, now)),
    )


def payment_troubles(store: Store, now: datetime) -> PaymentTroubles:
    """The orders that need a person."""
    return PaymentTroubles(
        store.payments.troubled_since(now - TROUBLES_WINDOW),
        store.refunds.unsettled(now - SLOW_REFUND),
    )


def run_times(system: System) -> RunTimes:
    """When runs were expected and finished."""
    return expectations.run_times(system.services, is_scheduled=is_scheduled(system))


def sources(system: System) -> dict[str, SourceReading]:
    """Each source's reading."""
    return expectations.sources(system.services, is_scheduled=is_scheduled(system))


def breakers(system: System) -> list[BreakerSnapshot]:
    """Every breaker. Raises: UnreachableError where only this process' own could be read."""
    return read_breakers(system.services)


def is_scheduled(system: System) -> bool:
    """Whether runs come by themselves."""
    return system.settings.scheduler == "on"


def disk(home: Path) -> Disk:
    """The room left where `home` lies."""
    usage = shutil.disk_usage(home)
    return Disk(home, usage.free, usage.total)
