"""A snapshot of a system where all is well, to be changed by tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.money import PaymentFailures
from observability.checks.snapshot import (
    DatabaseErrors,
    Disk,
    RunSchedule,
    RunStatus,
    SourceStatus,
    SystemSnapshot,
)
from resilience.breaker_model import BreakerSnapshot
from resilience.heartbeats import Heartbeat
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
WELL = SystemSnapshot(
    now=NOW,
    database="ok",
    redis="ok",
    broker="ok",
    database_errors=DatabaseErrors(0),
    runs=RunStatus(None, None, NOW + HOUR, TIMES),
    workers=[Heartbeat("worker", "a:1", {}, 0.1)],
    schedulers=1,
    last_tick_at=NOW,
    jobs=1,
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
)
