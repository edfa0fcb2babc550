"""The messages of the jobs role: what starts, cancels and tells of jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from actors.jobs import START, cancel_job, send_callbacks
from actors.registry import install
from actors.services import JobEngine, JobRuntime
from domain.job import Profile
from providers.webhooks import JobWebhook
from rollcall import brokers
from rollcall.wiring import System, required
from workflows.catalog import JobKinds

_POLL_MS, _SLOW_POLL_MS = 200, 1000
_STOP_MS = 8_000


@contextmanager
def messages(
    system: System, engine: JobEngine, catalog: JobKinds, profiles: Collection[Profile]
) -> Iterator[None]:
    """Work them off for the block: two threads for what is quickly done, one for calls to the world."""
    from dramatiq import Worker  # noqa: PLC0415 - after its environment

    services = replace(system.services, jobs=_ports(system, engine, catalog))
    calls = brokers.build(system.settings, system.redis)
    install(system.broker, services, [*START.values(), cancel_job])
    install(calls, services, [send_callbacks])
    queues = {cancel_job.queue, *(START[profile].queue for profile in profiles)}
    workers = [
        Worker(system.broker, queues=queues, worker_threads=2, worker_timeout=_POLL_MS),
        Worker(calls, worker_threads=1, worker_timeout=_SLOW_POLL_MS),
    ]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop(timeout=_STOP_MS)
        calls.close()


def _ports(system: System, engine: JobEngine, catalog: JobKinds) -> JobRuntime:
    settings = system.settings
    webhook = JobWebhook(
        required(settings.job_webhook_secret),
        system.services.clock,
        allows_private=settings.webhook_allow_private == "1",
    )
    return JobRuntime(catalog, engine, webhook.post)
