"""The jobs role: DBOS executes durable jobs; Dramatiq threads start and cancel them and send callbacks.

The executor's name survives a restart and is unique among live processes, so that a process recovers its own
jobs. The job contexts are built here from the settings.
"""

from __future__ import annotations

import fcntl
import logging
import secrets
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from typing import IO, TYPE_CHECKING

from dramatiq import Worker

from actors.jobs import START, cancel_job, resume_job, send_callbacks
from actors.registry import install
from actors.services import JobEngine, JobRuntime
from domain.errors import ConfigurationError
from domain.job import JobRecord, Profile
from domain.plugin import Ports
from notifications.messages import ReportMessage
from providers import docraptor, gemini, stripe
from providers.gemini import GeminiSettings
from providers.storage import StorageSettings
from providers.webhooks import JobWebhook
from resilience.lease import Lease
from rollcall import brokers, systemd
from rollcall.heartbeat import log_and_continue
from rollcall.process import role, stopping
from rollcall.settings import Settings
from rollcall.wiring import System, client_ports, required
from store.database import OUTAGES
from store.jobs.execution import JobExecution
from store.sections.history import DailyRollups, Histories
from workflows.execution import Execution
from workflows.kind import GenerationContext, JobContext, JobKinds, PaymentContext, ReportContext
from workflows.kinds import KINDS
from workflows.maintenance import Recovery, purge_expired, purge_uploads, restore_active
from workflows.refund import poll_refunds
from workflows.report.pdf import LocalPdfRenderer

_POLL_MS, _SLOW_POLL_MS = 200, 1000
_STOP_MS = 8_000
_PREFETCH = 2


@contextmanager
def messages(
    system: System, engine: JobEngine, kinds: JobKinds, profiles: Collection[Profile]
) -> Iterator[None]:
    """Consume messages for the block: two threads for quick ones, one for outgoing calls."""
    services = replace(system.services, jobs=_runtime(system, engine, kinds))
    calls = brokers.build(system.settings, system.redis)
    install(system.broker, services, [*START.values(), cancel_job, resume_job])
    install(calls, services, [send_callbacks])
    queues = {cancel_job.queue, *(START[profile].queue for profile in profiles)}
    workers = [
        Worker(system.broker, queues=queues, worker_threads=2, worker_timeout=_POLL_MS),
        Worker(calls, worker_threads=1, worker_timeout=_SLOW_POLL_MS),
    ]
    for worker in workers:
        worker.queue_prefetch = _PREFETCH
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop(timeout=_STOP_MS)
        calls.close()


def _runtime(system: System, engine: JobEngine, kinds: JobKinds) -> JobRuntime:
    settings = system.settings
    webhook = JobWebhook(
        required(settings.job_webhook_secret),
        system.services.clock,
        allows_private=settings.webhook_allow_private == "1",
    )
    return JobRuntime(kinds, engine, webhook.post)


def job_context(system: System) -> JobContext:
    """Return the ports of every workflow."""
    services, settings, ports = system.services, system.settings, _client_ports(system)
    return JobContext(
        services.clock,
        settings.of(StorageSettings).open(settings.home),
        services.breakers,
        reports=report_context(system),
        payments=PaymentContext(
            services.store.payments, services.store.refunds, stripe.PLUGIN.client(settings, ports)
        ),
        generation=GenerationContext(services.store.credits, gemini.PLUGIN.client(settings, ports)),
    )


def report_context(system: System) -> ReportContext:
    """Return the ports that render and send reports."""
    settings, services = system.settings, system.services
    remote = docraptor.PLUGIN.client(settings, _client_ports(system))
    return ReportContext(
        histories=Histories(system.database),
        days=DailyRollups(system.database),
        pauses=services.store.pauses,
        deliveries=services.store.deliveries,
        printer=remote or LocalPdfRenderer(),
        printer_breaker=None if remote is None else docraptor.PLUGIN.name,
        messages=ReportMessage(settings.notification_from_email),
        mailer=services.mailer,
    )


def _client_ports(system: System) -> Ports:
    return client_ports(system.settings, system.redis, system.services.clock)


def at_once(settings: Settings) -> Mapping[str, int]:
    """Return the concurrency limits of job kinds that the settings override."""
    return {"generation": settings.of(GeminiSettings).concurrency}


EXECUTOR = "executor"  # the heartbeat fact


@contextmanager
def executor_name(home: Path) -> Iterator[str]:
    """Yield a name made of the host, the home and the first free slot, held for the block.

    The kernel frees the slot with the process, however it ends: the next process with the same name knows
    that the work under it has no owner, and recovers it at once.
    """
    folder = home / "jobs"
    folder.mkdir(mode=0o700, exist_ok=True)
    slot, lock = _free_slot(folder)
    with lock:
        yield f"{socket.gethostname()}-{_identity(folder)}-{slot}"


def _free_slot(folder: Path) -> tuple[int, IO[str]]:
    for slot in count():
        lock = (folder / f"{slot}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        return slot, lock
    raise AssertionError("there is always another number")


def _identity(folder: Path) -> str:
    """Return what distinguishes this home from one on a host of the same name, as containers may have."""
    path, name = folder / "identity", secrets.token_hex(4)
    beside = folder / f".{name}"
    beside.write_text(name)
    with suppress(FileExistsError):
        path.hardlink_to(beside)  # atomically
    beside.unlink()
    return path.read_text()


if TYPE_CHECKING:
    from workflows.engine import Engine

ROLE = "jobs"
_RECOVERY_SECONDS, _RESTORE_SECONDS, _PURGE_SECONDS, _REFUND_SECONDS = 5.0, 60.0, 3600.0, 60.0
_LEASE_SECONDS = 60
_log = logging.getLogger(__name__)
_STOP_SECONDS = 8  # plus as long for messages: within the supervisor's stop timeout


def run(
    queues: Sequence[str] = (), overrides: Mapping[str, str] | None = None, kinds: JobKinds = KINDS
) -> None:
    """Execute the jobs of `queues` (all when none is named) until SIGTERM; unfinished jobs continue later."""
    profiles = _profiles(queues)
    with stopping() as stopped, role(ROLE, overrides) as system, executor_name(system.settings.home) as name:
        system.heartbeat.set_fact(EXECUTOR, name)
        with (
            _engine(system, name, profiles, kinds, stopped) as engine,
            messages(system, engine, kinds, profiles),
        ):
            _maintain(system, engine, name, stopped)


def _profiles(queues: Sequence[str]) -> list[Profile]:
    unknown = [queue for queue in queues if queue not in set(Profile)]
    if unknown:
        known = " and ".join(Profile)
        raise ConfigurationError({"--queues": f"unknown {', '.join(unknown)}; there are {known}"})
    return [profile for profile in Profile if not queues or profile in queues]


@contextmanager
def _engine(
    system: System, executor: str, profiles: Collection[Profile], kinds: JobKinds, stopped: Event
) -> Iterator[Engine]:
    from workflows.engine import Engine  # noqa: PLC0415 - DBOS, 50 MB

    execution = Execution(
        executor=executor,
        kinds=kinds,
        services=job_context(system),
        runs=JobExecution(system.database),
        pause=stopped.wait,
        announce=lambda job: _announce(system, job),
        resume=lambda job: _resume(system, job),
    )
    engine = Engine(execution, system.database.url.render_as_string(hide_password=False), profiles)
    engine.launch(at_once(system.settings))
    try:
        yield engine
    finally:
        stopped.set()  # also after a failure: queued messages must not delay the exit
        engine.close(_STOP_SECONDS)
        _release(execution)


def _release(execution: Execution) -> None:
    """Record that a stop of this process during a job is not a crash of the job."""
    try:
        execution.runs.release(execution.executor)
    except OUTAGES as error:
        _log.warning(
            "database unreachable: an interrupted job counts as a crash", extra={"error": str(error)}
        )


def _announce(system: System, job: JobRecord) -> None:
    """Publish the callback of an ended job; the reconciler repeats a failed publication."""
    if job.webhook_url is not None:
        publish = partial(system.services.publish, send_callbacks.message())
        log_and_continue(publish, "cannot publish a callback")


def _resume(system: System, job: JobRecord) -> None:
    """Publish the next phase of a job that was answered already; the reconciler repeats it."""
    log_and_continue(partial(system.services.publish, resume_job.message(job.id)), "cannot resume a job")


def _maintain(system: System, engine: Engine, executor: str, stopped: Event) -> None:
    """Recover dead executors' jobs, requeue lost jobs and purge old ones, until `stopped`."""
    lease = Lease(system.redis, "job-recovery", _LEASE_SECONDS)
    jobs = system.services.store.jobs
    recovery = Recovery(engine, system.heartbeats, lease, executor, role=ROLE, fact=EXECUTOR)
    context, lifetime = job_context(system), timedelta(days=system.settings.job_retention_days)

    def purge() -> None:
        purge_expired(jobs, context.storage, engine, now=context.clock.now(), lifetime=lifetime)

    def purge_files() -> None:
        purge_uploads(system.services.store.uploads, context.storage, now=context.clock.now())

    tasks = [
        PeriodicTask(_RECOVERY_SECONDS, recovery.check, "cannot recover the jobs of dead executors"),
        PeriodicTask(_RESTORE_SECONDS, lambda: restore_active(jobs, engine), "cannot restore active jobs"),
        PeriodicTask(_PURGE_SECONDS, purge, "cannot purge old jobs"),
        PeriodicTask(_PURGE_SECONDS, purge_files, "cannot purge unused uploads"),
        PeriodicTask(_REFUND_SECONDS, lambda: poll_refunds(context), "cannot poll refunds"),
    ]
    systemd.ready()
    while not stopped.wait(_RECOVERY_SECONDS):
        systemd.alive()
        for task in tasks:
            task.run_if_due(time.monotonic())


@dataclass(slots=True)
class PeriodicTask:
    """Runs every `every_seconds`, the first time at once; a failure is logged as `failure`."""

    every_seconds: float
    work: Callable[[], object]
    failure: str
    due_at: float = 0.0

    def run_if_due(self, now: float) -> None:
        """Run it when it is due."""
        if now >= self.due_at:
            self.due_at = now + self.every_seconds
            log_and_continue(self.work, self.failure)
