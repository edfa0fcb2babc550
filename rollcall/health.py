"""The probes of this system: what `/readyz`, `/health` and `/metrics` tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from actors import QUEUES
from actors.deliver import MAIL
from domain.errors import PermanentError
from observability.health import Finding, HealthReport, Probe, Severity, examine
from operations.verdicts import SLOW_DELIVERY
from resilience.queues import QueueReader, QueueReading
from rollcall import brokers
from rollcall.instruments import sources
from rollcall.job_readings import jobs_finding
from rollcall.wiring import System
from store import migrate


class Health:
    """Reads a system's state; each method asks anew."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._store = system.services.store
        is_redis = not brokers.is_rabbitmq(system.settings)
        self._queues = QueueReader(brokers.client_of(system.broker), QUEUES) if is_redis else None

    def ready(self) -> HealthReport:
        """Whether what every request needs is there."""
        needed = self._servers()
        if self._system.settings.broker_url not in {None, self._system.settings.redis_url}:
            needed["broker"] = Probe(self._broker, Severity.UNHEALTHY)
        return examine(needed)

    def report(self) -> HealthReport:
        """Everything an operator asks first."""
        queues = cache(self.queues)  # two probes, one reading
        return examine(
            self._servers()
            | {
                "broker": Probe(lambda: _answering(queues), Severity.UNHEALTHY),
                "queues": Probe(lambda: _depths(queues()), Severity.UNHEALTHY),
                "breakers": Probe(self._breakers),
                "cron": Probe(self._cron),
                "workers": Probe(self._workers, Severity.UNHEALTHY),
                "outbox": Probe(self._outbox),
                "mail": Probe(self._mail),
                "sources": Probe(self._sources),
                "jobs": Probe(lambda: jobs_finding(self._system)),
            }
        )

    def _servers(self) -> dict[str, Probe]:
        return {
            "database": Probe(self._database, Severity.UNHEALTHY),
            "redis": Probe(lambda: _answering(self._system.redis.ping), Severity.UNHEALTHY),
        }

    def _database(self) -> Finding:
        self._system.database.ping()
        if not migrate.is_current(self._system.database):
            raise PermanentError("its schema is not the newest: run `rollcall init`")
        return Finding("ok")

    def _broker(self) -> Finding:
        is_redis = self._queues is not None
        return _answering(brokers.client_of(self._system.broker).ping if is_redis else self.queues)

    def queues(self) -> Mapping[str, QueueReading]:
        """Each queue's reading. Raises when the broker does not answer."""
        if self._queues is not None:
            return self._queues.read()
        counts = {queue: self._system.broker.get_queue_message_counts(queue) for queue in QUEUES}  # type: ignore[attr-defined]
        return {
            queue: QueueReading(ready + delayed, None, dead, is_age_known=not ready)
            for queue, (ready, delayed, dead) in counts.items()
        }

    def _breakers(self) -> Finding:
        snapshots = [breaker.snapshot() for breaker in self._system.services.breakers.values()]
        is_well = all(snapshot.state == "closed" and snapshot.scope == "fleet" for snapshot in snapshots)
        shown = {snapshot.name: _shown(asdict(snapshot)) for snapshot in snapshots}
        return Finding(shown, Severity.HEALTHY if is_well else Severity.DEGRADED)

    def _cron(self) -> Finding:
        holder = self._system.services.cron_lease.held()
        finished_at = self._store.runs.last_finished_at()
        lock = None if holder is None else _shown(asdict(holder) | {"token": None})
        return Finding({"last_finished_at": _text(finished_at), "lock": lock})

    def _workers(self) -> Finding:
        alive = self._system.heartbeats.alive("worker")
        return Finding({"alive": len(alive)}, Severity.HEALTHY if alive else Severity.UNHEALTHY)

    def _outbox(self) -> Finding:
        backlog = self._store.outbox.backlog()
        oldest = backlog.oldest_due_at
        age = None if oldest is None else max(timedelta(0), self._system.services.clock.now() - oldest)
        value = {
            "pending": backlog.pending,
            "oldest_age_seconds": None if age is None else age.total_seconds(),
            "dead": backlog.dead,
        }
        return Finding(
            value, Severity.DEGRADED if age is not None and age > SLOW_DELIVERY else Severity.HEALTHY
        )

    def _sources(self) -> Finding:
        found = sources(self._system)
        shown = {
            name: {
                "last_success_at": _text(reading.last_success_at),
                "paused_until": self._paused_until(name),
            }
            for name, reading in found.items()
        }
        is_well = not any(
            found[name].silent_since or values["paused_until"] for name, values in shown.items()
        )
        return Finding(shown, Severity.HEALTHY if is_well else Severity.DEGRADED)

    def _mail(self) -> Finding:
        paused_until = self._paused_until(MAIL)
        value = {"transport": self._system.services.mailer.name, "paused_until": paused_until}
        return Finding(value, Severity.DEGRADED if paused_until else Severity.HEALTHY)

    def _paused_until(self, name: str) -> str | None:
        pause = self._store.pauses.paused(name, self._system.services.clock.now())
        return None if pause is None else _text(pause.until)


def _answering(read: Callable[[], object]) -> Finding:
    read()
    return Finding("ok")


def _depths(queues: Mapping[str, QueueReading]) -> Finding:
    return Finding({name: asdict(reading) for name, reading in queues.items()})


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _text(value) if isinstance(value, datetime) else value
        for name, value in values.items()
        if name not in {"name", "token"}
    }
