"""How durable jobs are doing, for probes and for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from domain.job import JobState, Profile
from observability.health import Finding, Severity
from observability.metrics import gauge
from rollcall.wiring import System


def job_metrics(system: System) -> Iterator[Metric]:
    """The families of jobs."""
    counts = Counter(system.services.store.jobs.counts())
    kinds = {*system.services.jobs.catalog, *(kind for kind, _ in counts)}
    samples = [
        ({"kind": kind, "state": state}, float(counts[kind, state]))
        for kind in sorted(kinds)
        for state in JobState
    ]
    yield gauge("rollcall_jobs", "Jobs that are kept, by kind and state", samples)
    ages = [({"queue": queue}, age or 0.0) for queue, age in _oldest_age_seconds(system).items()]
    yield gauge("rollcall_job_queue_oldest_age_seconds", "How long the oldest queued job waits", ages)


def jobs_finding(system: System) -> Finding:
    """Jobs by state, how long the oldest ones wait, and who carries jobs out."""
    counts = system.services.store.jobs.counts()
    shown: dict[str, object] = {
        state.value: sum(n for (_, its), n in counts.items() if its is state) for state in JobState
    }
    shown["oldest_queued_age_seconds"] = _oldest_age_seconds(system)
    alive = shown["alive"] = len(system.heartbeats.alive("jobs"))
    return Finding(shown, Severity.HEALTHY if alive else Severity.DEGRADED)


def _oldest_age_seconds(system: System) -> dict[str, float | None]:
    now, oldest = system.services.clock.now(), system.services.store.jobs.oldest_queued_at()
    ages = {profile: (now - at).total_seconds() for profile, at in oldest.items()}
    return {profile.value: max(0.0, ages[profile]) if profile in ages else None for profile in Profile}
