"""The answers of `/readyz` and `/health`: a view of the checks and of the state that they judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from domain.check import Severity, worst
from domain.job import JobState
from domain.notification import MAIL
from observability.checks import findings
from observability.checks.snapshot import SystemSnapshot, Unavailable, read_or_unavailable, required
from observability.gauges import oldest_job_age_seconds
from observability.shared_reading import SharedReading
from store.jobs.jobs import Jobs

_FRESH_SECONDS, _SILENT_SECONDS = 1.0, 0.75
_BUSY_SECONDS = 5.0  # for the database: one large write does not make the process unready


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The status (healthy, degraded, unhealthy), and each check's value by its name."""

    status: str
    checks: dict[str, object]


class Health:
    """Reads the system's state: readiness at most once a second, the report at each call.

    Shape: `needed` probes the servers that every request needs, by name.
    """

    def __init__(
        self, snapshot: Callable[[], SystemSnapshot], needed: Mapping[str, Callable[[], object]], jobs: Jobs
    ) -> None:
        self._snapshot = snapshot
        self._jobs = jobs
        self._needed = {
            name: SharedReading(
                probe,
                limit_seconds=_BUSY_SECONDS if name == "database" else _SILENT_SECONDS,
                fresh_seconds=_FRESH_SECONDS,
            )
            for name, probe in needed.items()
        }

    def ready(self) -> HealthReport:
        """Return whether everything that requests need is available."""
        found = {name: read_or_unavailable(reading.latest) for name, reading in self._needed.items()}
        checks: dict[str, object] = {
            name: _error(value) if isinstance(value, Unavailable) else "ok" for name, value in found.items()
        }
        is_ready = all(value == "ok" for value in checks.values())
        return HealthReport((Severity.HEALTHY if is_ready else Severity.UNHEALTHY).name.lower(), checks)

    def report(self) -> HealthReport:
        """Return the value of each part of the state, and what fails by check."""
        state = self._snapshot()
        found = findings(state)
        failing: dict[str, list[str]] = {}
        for finding in found:
            if finding.failure is not None:
                failing.setdefault(finding.check.name, []).append(finding.failure.subject)
        checks = {name: _shown(value, state) for name, value in _VALUES.items()}
        checks["jobs"] = _shown(self._jobs_by_state, state)
        return HealthReport(worst(found).name.lower(), checks | {"failing": failing})

    def _jobs_by_state(self, state: SystemSnapshot) -> dict[str, object]:
        """Return jobs by state, the age of the oldest queued ones, and the number of jobs processes."""
        counts = Counter(self._jobs.counts())
        by_state = {each.value: sum(n for (_, its), n in counts.items() if its is each) for each in JobState}
        return by_state | {
            "oldest_queued_age_seconds": oldest_job_age_seconds(self._jobs, state.now),
            "alive": len(state.alive("jobs")),
        }


def _shown(value: Callable[[SystemSnapshot], object], state: SystemSnapshot) -> object:
    """Return `value` of `state`, or why it is unknown: never zero, never healthy."""
    found = read_or_unavailable(lambda: value(state))
    return _error(found) if isinstance(found, Unavailable) else found


def _error(unavailable: Unavailable) -> dict[str, str]:
    return {"error": unavailable.error.removeprefix("UnavailableError: ")}


def _queues(state: SystemSnapshot) -> object:
    return {name: asdict(reading) for name, reading in required(state.queues).items()}


def _breakers(state: SystemSnapshot) -> object:
    return {breaker.name: _fields(asdict(breaker)) for breaker in required(state.breakers)}


def _cron(state: SystemSnapshot) -> object:
    holder, times = required(state.lease), required(state.runs).times
    return {
        "last_finished_at": _text(times.finished_at),
        "last_success_at": _text(times.succeeded_at),
        "lock": None if holder is None else _fields(asdict(holder)),
    }


def _scheduler(state: SystemSnapshot) -> object:
    return {"alive": len(state.alive("scheduler")), "last_tick_at": _text(state.last_tick_at)}


def _outbox(state: SystemSnapshot) -> object:
    backlog = required(state.outbox)
    oldest = backlog.oldest_due_at
    age_seconds = None if oldest is None else max(0.0, (state.now - oldest).total_seconds())
    return {"pending": backlog.pending, "oldest_age_seconds": age_seconds, "dead": backlog.dead}


def _mail(state: SystemSnapshot) -> object:
    return {"transport": state.transport, "paused_until": _paused_until(state, MAIL)} | _last_error(
        state, MAIL
    )


def _sources(state: SystemSnapshot) -> object:
    return {
        name: {
            "state": state.source_state(name).value,
            "last_success_at": _text(source.last_success_at),
            "paused_until": _paused_until(state, name),
        }
        | _last_error(state, name)
        for name, source in required(state.sources).items()
    }


def _paused_until(state: SystemSnapshot, name: str) -> str | None:
    required(state.pauses)
    pause = state.pause(name)
    return None if pause is None else _text(pause.until)


def _last_error(state: SystemSnapshot, name: str) -> dict[str, str | None]:
    breaker = state.breaker(name)
    if breaker is None:
        return {"last_error": None, "last_error_at": None}
    return {"last_error": breaker.last_error, "last_error_at": _text(breaker.last_error_at)}


def _disk(state: SystemSnapshot) -> object:
    disk = required(state.disk)
    return None if disk is None else {"free_bytes": disk.free, "size_bytes": disk.total}


_VALUES: Mapping[str, Callable[[SystemSnapshot], object]] = {
    "database": lambda state: required(state.database),
    "database_errors": lambda state: asdict(required(state.database_errors)),
    "redis": lambda state: required(state.redis),
    "broker": lambda state: required(state.broker),
    "queues": _queues,
    "breakers": _breakers,
    "cron": _cron,
    "workers": lambda state: {"alive": len(state.alive("worker"))},
    "scheduler": _scheduler,
    "outbox": _outbox,
    "mail": _mail,
    "sources": _sources,
    "disk": _disk,
}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _text(value) if isinstance(value, datetime) else value
        for name, value in values.items()
        if name not in {"name", "token"}
    }
