"""Checks of the pipeline's infrastructure: database, Redis, broker, queues, processes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import inf

from domain.alert import AlertMessage
from domain.check import Check, Part, Result, Severity
from observability.checks.pipeline import clock
from observability.checks.snapshot import SystemSnapshot
from observability.checks.unavailable import Unavailable, required

SLOW_QUEUE_SECONDS = 60.0
SLOW_CHECKS = timedelta(minutes=5)
STALE_TICK = timedelta(minutes=1)
TOLERATED_DATABASE_ERRORS = 2  # in the window; a healthy database causes none
_AWAY_PENDING = timedelta(minutes=2)
_CHECK_QUEUE = "check"
_ALL = tuple(Part)


def _database(state: SystemSnapshot) -> Iterator[Result]:
    yield Result("server", _refusing("The database does not serve", state.database))


def _database_errors(state: SystemSnapshot) -> Iterator[Result]:
    errors, failure = required(state.database_errors), None
    if errors.count > TOLERATED_DATABASE_ERRORS:
        detail = f"The processes met {errors.count} errors in the last five minutes. The last: {errors.last}."
        failure = AlertMessage("The database answers with errors", detail, "rollcall doctor")
    yield Result("many", failure)


def _redis(state: SystemSnapshot) -> Iterator[Result]:
    yield Result("server", _refusing("The Redis server does not take writes", state.redis))


def _broker(state: SystemSnapshot) -> Iterator[Result]:
    yield Result("server", _refusing("The broker does not serve", state.broker))


def _refusing(subject: str, probed: str | Unavailable) -> AlertMessage | None:
    if not isinstance(probed, Unavailable):
        return None
    return AlertMessage(subject, f"{probed.error}.", "rollcall doctor", _AWAY_PENDING)


def _queues(state: SystemSnapshot) -> Iterator[Result]:
    queues = required(state.queues)
    dead = {name: reading.dead for name, reading in queues.items() if reading.dead}
    counts = ", ".join(f"{count} in {queue}" for queue, count in dead.items())
    kept = f"{counts}. They are kept for seven days."
    yield Result("dead", AlertMessage("Messages are dead", kept, "rollcall queue dead ls") if dead else None)
    yield Result("stuck", _stuck_queue(state))


def _stuck_queue(state: SystemSnapshot) -> AlertMessage | None:
    ages = {name: reading.oldest_age_seconds or 0.0 for name, reading in required(state.queues).items()}
    slow = {name: age for name, age in ages.items() if age > _patience_seconds(state, name)}
    if not slow:
        return None
    slowest = max(slow, key=lambda name: slow[name])
    detail = f"The oldest message in {slowest} has waited for {slow[slowest]:.0f} s."
    return AlertMessage("Messages wait too long", detail, "rollcall queue ls", _AWAY_PENDING)


def _patience_seconds(state: SystemSnapshot, queue: str) -> float:
    """Return how long a message may wait; a run's checks are published at once, and wait for sources."""
    if queue != _CHECK_QUEUE:
        return SLOW_QUEUE_SECONDS
    sources = {} if isinstance(state.sources, Unavailable) else state.sources
    answered = [status.last_success_at for status in sources.values() if status.last_success_at is not None]
    is_answered = any(state.now - at < SLOW_CHECKS for at in answered)
    return inf if is_answered else SLOW_CHECKS.total_seconds()


def _workers(state: SystemSnapshot) -> Iterator[Result]:
    detail, command = "Nothing is checked and nothing is sent.", 'pgrep -af "rollcall: worker"'
    failure = (
        None
        if required(state.workers)
        else AlertMessage("No worker is alive", detail, command, _AWAY_PENDING)
    )
    yield Result("none", failure)


def _scheduler(state: SystemSnapshot) -> Iterator[Result]:
    detail, command = _consequence(state), 'pgrep -af "rollcall: scheduler"'
    is_alive = bool(required(state.schedulers))
    dead = AlertMessage("No scheduler is alive", detail, command, _AWAY_PENDING)
    yield Result("none", None if is_alive else dead)
    last, stale = required(state.last_tick_at), None
    if is_alive and last is not None and state.now - last > STALE_TICK:
        stale = AlertMessage("The scheduler is stuck", f"{_last_tick(last)} {detail}", command, _AWAY_PENDING)
    yield Result("stuck", stale)


def _consequence(state: SystemSnapshot) -> str:
    runs = "No run starts by itself, and n" if state.is_scheduled else "N"
    return f"{runs}othing that a lost message or a killed worker left behind is picked up."


def _last_tick(at: datetime) -> str:
    return f"Its last tick ended at {clock(at)}."


def _jobs(state: SystemSnapshot) -> Iterator[Result]:
    detail, command = "Durable jobs wait: nothing that was ordered is made.", 'pgrep -af "rollcall: jobs"'
    failure = (
        None
        if required(state.jobs)
        else AlertMessage("No jobs process is alive", detail, command, _AWAY_PENDING)
    )
    yield Result("none", failure)


CHECKS = (
    Check("database", _database, Severity.UNHEALTHY, _ALL, "rollcall doctor", "database-failing"),
    Check("database_errors", _database_errors, Severity.DEGRADED, _ALL,
          "rollcall doctor", "database-failing", needs="redis"),
    Check("redis", _redis, Severity.UNHEALTHY, _ALL, "rollcall doctor", "redis-failing"),
    Check("broker", _broker, Severity.UNHEALTHY, _ALL, "rollcall doctor", "redis-failing", needs="redis"),
    Check("queues", _queues, Severity.DEGRADED, (Part.DRAINING,),
          "rollcall queue ls", "queue-stuck", "dead", needs="broker"),
    Check("workers", _workers, Severity.UNHEALTHY, _ALL,
          'pgrep -af "rollcall: worker"', "no-worker", "#workers", needs="redis"),
    Check("scheduler", _scheduler, Severity.UNHEALTHY, (Part.POLLING,),
          'pgrep -af "rollcall: scheduler"', "scheduler-stale", "#workers", needs="redis"),
    Check("jobs", _jobs, Severity.DEGRADED, (Part.DRAINING,),
          'pgrep -af "rollcall: jobs"', "no-worker", "jobs", needs="redis"),
)  # fmt: skip
