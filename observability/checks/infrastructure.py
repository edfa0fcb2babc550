"""Checks of the pipeline's infrastructure: database, Redis, broker, queues, processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from math import inf

from domain.alert import AlertMessage
from domain.check import Check, Part, Result, Severity
from domain.text import format_minute
from observability.checks.host import start_command
from observability.checks.snapshot import SystemSnapshot, Unavailable, required

SLOW_QUEUE_SECONDS = 60.0
SLOW_CHECKS = timedelta(minutes=5)
STALE_TICK = timedelta(minutes=1)
TOLERATED_DATABASE_ERRORS = 2  # in the window; a healthy database causes none
_PENDING = timedelta(minutes=2)
_CHECK_QUEUE = "check"
_ALL = tuple(Part)


def _database(state: SystemSnapshot) -> Iterator[Result]:
    yield _server("The database does not serve", state.database)


def _redis(state: SystemSnapshot) -> Iterator[Result]:
    yield _server("The Redis server does not take writes", state.redis)


def _broker(state: SystemSnapshot) -> Iterator[Result]:
    yield _server("The broker does not serve", state.broker)


def _server(subject: str, probed: str | Unavailable) -> Result:
    if not isinstance(probed, Unavailable):
        return Result("server", note=probed)
    return Result("server", AlertMessage(subject, f"{probed.error}.", "rollcall doctor"))


def _database_errors(state: SystemSnapshot) -> Iterator[Result]:
    errors, failure = required(state.database_errors), None
    if errors.count > TOLERATED_DATABASE_ERRORS:
        detail = f"The processes met {errors.count} errors in the last five minutes. The last: {errors.last}."
        failure = AlertMessage("The database answers with errors", detail, "rollcall doctor")
    yield Result("many", failure, note=f"{errors.count} errors in the last five minutes")


def _dead_letters(state: SystemSnapshot) -> Iterator[Result]:
    dead = {name: queue.dead for name, queue in required(state.queues).items() if queue.dead}
    counts = ", ".join(f"{count} in {queue}" for queue, count in dead.items())
    failure = AlertMessage(
        "Messages are dead", f"{counts}. They are kept for seven days.", "rollcall queue dead ls"
    )
    yield Result("queues", failure if dead else None)


def _queues(state: SystemSnapshot) -> Iterator[Result]:
    ages = {name: queue.oldest_age_seconds or 0.0 for name, queue in required(state.queues).items()}
    slow = {name: age for name, age in ages.items() if age > _tolerated_seconds(state, name)}
    if not slow:
        yield Result("stuck")
        return
    slowest = max(slow, key=lambda name: slow[name])
    detail = f"The oldest message in {slowest} has waited for {slow[slowest]:.0f} s."
    yield Result("stuck", AlertMessage("Messages wait too long", detail, "rollcall queue ls"))


def _tolerated_seconds(state: SystemSnapshot, queue: str) -> float:
    """Return how long a message may wait; a run's checks are published at once, and wait for sources."""
    if queue != _CHECK_QUEUE:
        return SLOW_QUEUE_SECONDS
    sources = {} if isinstance(state.sources, Unavailable) else state.sources
    checked = [status for status in sources.values() if status.has_runs]
    answered = [status.last_success_at for status in checked if status.last_success_at is not None]
    is_answered = any(state.now - at < SLOW_CHECKS for at in answered)
    return inf if is_answered else SLOW_CHECKS.total_seconds()


def _scheduler(state: SystemSnapshot) -> Iterator[Result]:
    runs = "No run starts by itself, and n" if state.is_scheduled else "N"
    consequence = f"{runs}othing that a lost message or a killed worker left behind is picked up."
    yield from _alive("scheduler", consequence)(state)
    last, stale = state.last_tick_at, None
    if state.alive("scheduler") and last is not None and state.now - last > STALE_TICK:
        detail = f"Its last tick ended at {format_minute(last)}. {consequence}"
        restart = "systemctl restart rollcall-scheduler" if state.is_managed else "restart rollcall scheduler"
        stale = AlertMessage("The scheduler is stuck", detail, restart)
    yield Result("stuck", stale)


def _alive(role: str, consequence: str) -> Callable[[SystemSnapshot], Iterator[Result]]:
    """Return a check that a process of `role` is alive."""
    name = "jobs process" if role == "jobs" else role

    def read(state: SystemSnapshot) -> Iterator[Result]:
        alive, command = state.alive(role), start_command(role, managed=state.is_managed)
        failure = None if alive else AlertMessage(f"No {name} is alive", consequence, command)
        yield Result(
            "none", failure, note=f"{len(alive)} alive: {', '.join(beat.instance_id for beat in alive)}"
        )

    return read


CHECKS = (
    Check("database", _database, Severity.UNHEALTHY, _ALL,
          "rollcall doctor", "database-failing", pending_for=_PENDING, is_critical=True),
    Check("database_errors", _database_errors, Severity.DEGRADED, _ALL,
          "rollcall doctor", "database-failing", needs=("redis",), is_critical=True),
    Check("redis", _redis, Severity.UNHEALTHY, _ALL,
          "rollcall doctor", "redis-failing", pending_for=_PENDING, is_critical=True),
    Check("broker", _broker, Severity.UNHEALTHY, _ALL,
          "rollcall doctor", "redis-failing", needs=("redis",), pending_for=_PENDING, is_critical=True),
    Check("queues", _queues, Severity.DEGRADED, (Part.DRAINING,),
          "rollcall queue ls", "queue-stuck", "#queues",
          needs=("broker",), pending_for=_PENDING, is_critical=True),
    Check("dead_letters", _dead_letters, Severity.DEGRADED, (Part.DRAINING,),
          "rollcall queue dead ls", "dead-letters", "dead", needs=("broker",)),
    Check("workers", _alive("worker", "Nothing is checked and nothing is sent."), Severity.UNHEALTHY, _ALL,
          "systemctl status 'rollcall-worker@*' rollcall-jobs", "no-worker", "#workers",
          needs=("redis",), pending_for=_PENDING, is_critical=True),
    Check("scheduler", _scheduler, Severity.UNHEALTHY, (Part.POLLING,),
          "systemctl status rollcall-scheduler", "scheduler-stale", "#workers",
          needs=("redis",), pending_for=_PENDING, is_critical=True),
    Check("jobs", _alive("jobs", "Durable jobs wait: nothing that was ordered is made."), Severity.DEGRADED,
          (Part.DRAINING,), "systemctl status 'rollcall-worker@*' rollcall-jobs", "no-worker", "jobs",
          needs=("redis",), pending_for=_PENDING, is_critical=True),
)  # fmt: skip
