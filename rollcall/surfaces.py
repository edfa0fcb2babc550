"""What the web role serves: the ingress' surfaces, and the metrics of the whole fleet."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client.metrics_core import Metric

from ingress.surfaces import Surfaces
from mail.webhooks import ResendEvents
from observability.metrics import Exposition, Readings, counter, gauge
from rollcall.health import Health
from rollcall.wiring import System


def surfaces(system: System, health: Health) -> Surfaces:
    """The ingress' surfaces over `system`."""
    settings = system.settings
    secret = settings.resend_webhook_secret
    if settings.cron_secret is None or settings.api_token is None:
        raise AssertionError("filled in by rollcall.environment")
    return Surfaces(
        services=system.services,
        links=system.links,
        events=None if secret is None else ResendEvents(secret, system.services.clock),
        cron_secret=settings.cron_secret,
        api_token=settings.api_token,
        public_url=settings.base_url,
        default_source=next(iter(system.services.sources)),
        health=health.report,
        ready=health.ready,
        metrics=Exposition(readings(system, health)),
    )


def readings(system: System, health: Health) -> Readings:
    """Everything that Prometheus may ask of the fleet; what the database counts survives restarts."""
    return Readings(
        [
            _build,
            lambda: _queues(health),
            lambda: _breakers(system),
            lambda: _workers(system),
            lambda: _runs(system),
            lambda: _mail(system),
            lambda: _sources(system),
        ]
    )


def _build() -> Iterator[Metric]:
    yield gauge("rollcall_build_info", "The running version", [({"version": version("rollcall")}, 1)])


def _queues(health: Health) -> Iterator[Metric]:
    queues = health.queues().items()
    ages = [({"queue": name}, q.oldest_age_seconds) for name, q in queues if q.oldest_age_seconds is not None]
    yield gauge("rollcall_queue_depth", "Unfinished messages", [({"queue": n}, q.depth) for n, q in queues])
    yield gauge("rollcall_queue_oldest_age_seconds", "Age of the oldest message that waits", ages)
    yield gauge(
        "rollcall_dead_letters", "Dead letters in the broker", [({"queue": n}, q.dead) for n, q in queues]
    )


def _breakers(system: System) -> Iterator[Metric]:
    snapshots = [breaker.snapshot() for breaker in system.services.breakers.values()]
    states = [
        ({"breaker": snapshot.name, "state": state}, float(snapshot.state == state))
        for snapshot in snapshots
        for state in ("closed", "half_open", "open")
    ]
    yield gauge("rollcall_breaker_state", "1 for the state that the breaker is in", states)


def _workers(system: System) -> Iterator[Metric]:
    roles = ("worker", "scheduler", "web")
    alive = [({"role": role}, float(len(system.heartbeats.alive(role)))) for role in roles]
    yield gauge("rollcall_processes_alive", "Processes whose heart beats", alive)


def _runs(system: System) -> Iterator[Metric]:
    totals = system.services.store.runs.totals()
    outcomes = [({"outcome": name}, float(totals[name])) for name in ("checked", "failed", "deferred")]
    yield counter("rollcall_checks", "Section checks by how they ended", outcomes)
    yield counter("rollcall_changes", "Sections that changed", [({}, float(totals["changed"]))])
    finished_at = system.services.store.runs.last_finished_at()
    if finished_at is not None:
        finished = finished_at.timestamp()
        yield gauge(
            "rollcall_last_finished_run_timestamp_seconds", "When a run last finished", [({}, finished)]
        )


def _mail(system: System) -> Iterator[Metric]:
    counts = system.services.store.outbox.counts()
    states = [({"state": state}, float(count)) for state, count in counts.items()]
    yield gauge("rollcall_notifications", "Notifications by state", states)


def _sources(system: System) -> Iterator[Metric]:
    seen = system.services.store.sections.last_success().items()
    samples = [({"source": source}, at.timestamp()) for source, at in seen]
    yield gauge("rollcall_source_last_success_timestamp_seconds", "When a source last answered", samples)
