"""Readings of durable jobs, for probes and for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from domain.job import JobState, Profile
from observability.metrics import gauge
from rollcall.wiring import System


def job_metrics(system: System) -> Iterator[Metric]:
    """Return the metrics of jobs."""
    counts = Counter(system.services.store.jobs.counts())
    kinds = {*system.services.jobs.kinds, *(kind for kind, _ in counts)}
    samples = [
        ({"kind": kind, "state": state}, float(counts[kind, state]))
        for kind in sorted(kinds)
        for state in JobState
    ]
    yield gauge("rollcall_jobs", "Jobs that are kept, by kind and state", samples)
    ages = [({"queue": queue}, age or 0.0) for queue, age in oldest_age_seconds(system).items()]
    yield gauge("rollcall_job_queue_oldest_age_seconds", "How long the oldest queued job waits", ages)


def oldest_age_seconds(system: System) -> dict[str, float | None]:
    """Return the age of the oldest queued job of each profile; None where none is queued."""
    now, oldest = system.services.clock.now(), system.services.store.jobs.oldest_queued_at()
    ages = {profile: (now - at).total_seconds() for profile, at in oldest.items()}
    return {profile.value: max(0.0, ages[profile]) if profile in ages else None for profile in Profile}
