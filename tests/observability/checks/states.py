"""A snapshot of a system where all is well, to be changed by tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.money import PaymentFailures
from observability.checks.snapshot import (
    BackupAge,
    DatabaseErrors,
    Disk,
    RunSchedule,
    RunStatus,
    SourceStatus,
    SystemSnapshot,
)
from resilience.breaker_model import BreakerSnapshot
from resilience.heartbeats import TICKED_AT, Heartbeat
from resilience.queues import QueueStats
from store.notifications.outbox import Backlog, Losses
from store.watches import Audience

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
GIB = 1 << 30
CLOSED = BreakerSnapshot(
    name="scraper", state="closed", failures=0, successes=0, retry_after_seconds=0, since=None, forced=None,
    forced_by=None, scope="fleet",
)  # fmt: skip
HEARD = SourceStatus(NOW, Audience(41, NOW - 9 * HOUR), None, 30 * MINUTE)
TIMES = RunSchedule(NOW - 9 * HOUR, NOW - MINUTE, NOW - 10 * MINUTE, NOW - HOUR)


def processes(*dead: str, ticked_at: datetime | None = NOW) -> dict[str, list[Heartbeat]]:
    """One live process of each role that is not `dead`."""
    facts = {} if ticked_at is None else {TICKED_AT: str(ticked_at.timestamp())}
    roles = ("worker", "scheduler", "web", "jobs")
    return {role: [] if role in dead else [Heartbeat(role, "a:1", facts, 0.1)] for role in roles}


WELL = SystemSnapshot(
    now=NOW,
    database="ok",
    redis="ok",
    broker="ok",
    database_errors=DatabaseErrors(0),
    runs=RunStatus(None, None, NOW + HOUR, TIMES),
    processes=processes(),
    queues={"check": QueueStats(3, 0.1, 0), "deliver": QueueStats(0, None, 0)},
    breakers=[CLOSED, BreakerSnapshot("mail", "closed", 0, 0, 0, None, None, "fleet")],
    lease=None,
    sources={"scraper": HEARD},
    pauses={},
    outbox=Backlog(3, NOW - 9 * MINUTE, 5),
    losses=Losses(0, 0),
    payments=PaymentFailures(),
    disk=Disk(Path("/var/lib/rollcall"), 3 * GIB, 20 * GIB),
    clocks={"north": 0.2, "database": -0.1},
    alerts=[],
    transport="preview",
    is_scheduled=True,
    backup=BackupAge(NOW - HOUR, "backup.zip"),
)
