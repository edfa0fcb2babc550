"""The jobs role: DBOS carries out durable jobs, beside the messages that start, cancel and tell of them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from actors.jobs import START, send_callbacks
from domain.errors import ConfigurationError
from domain.job import JobRecord, Profile
from resilience.lease import Lease
from rollcall import systemd
from rollcall.executor import EXECUTOR, executor_name
from rollcall.job_messages import messages
from rollcall.job_services import at_once, job_services
from rollcall.process import role, stopping
from rollcall.quiet import log_and_continue
from rollcall.wiring import System
from store.jobs.execution import JobExecution
from store.persistence import OUTAGES
from workflows.catalog import CATALOG, JobKinds
from workflows.execution import Execution
from workflows.maintenance import Recovery, purge_expired, take_back
from workflows.refund import poll_refunds

if TYPE_CHECKING:
    from workflows.engine import Engine

ROLE = "jobs"
_LOOK_SECONDS, _TAKE_BACK_SECONDS, _FORGET_SECONDS, _REFUND_SECONDS = 5.0, 60.0, 3600.0, 60.0
_LEASE_SECONDS = 60
_log = logging.getLogger(__name__)
_STOP_SECONDS = 8  # besides as long for messages: below the supervisor's patience


def run(
    queues: Sequence[str] = (), overrides: Mapping[str, str] | None = None, catalog: JobKinds = CATALOG
) -> None:
    """Carry out the jobs of `queues` (all when none is named) until SIGTERM; what is in hand then is kept."""
    profiles = _profiles(queues)
    os.environ.setdefault("dramatiq_queue_prefetch", "2")  # read when Dramatiq is imported
    with stopping() as stopped, role(ROLE, overrides) as system, executor_name(system.settings.home) as name:
        system.pulse.note(EXECUTOR, name)
        with (
            _engine(system, name, profiles, catalog, stopped) as engine,
            messages(system, engine, catalog, profiles),
        ):
            _keep_up(system, engine, name, stopped)


def _profiles(queues: Sequence[str]) -> list[Profile]:
    unknown = [queue for queue in queues if queue not in set(Profile)]
    if unknown:
        known = " and ".join(Profile)
        raise ConfigurationError({"--queues": f"unknown {', '.join(unknown)}; there are {known}"})
    return [profile for profile in Profile if not queues or profile in queues]


@contextmanager
def _engine(
    system: System, executor: str, profiles: Collection[Profile], catalog: JobKinds, stopped: Event
) -> Iterator[Engine]:
    from workflows.engine import DurableWorkflow, Engine  # noqa: PLC0415 - DBOS, 50 MB

    execution = Execution(
        executor=executor,
        catalog=catalog,
        services=job_services(system),
        runs=JobExecution(system.database),
        keep=DurableWorkflow(),
        pause=stopped.wait,
        announce=lambda job: _announce(system, job),
    )
    engine = Engine(execution, system.database.url.render_as_string(hide_password=False), profiles)
    engine.launch(at_once(system.settings))
    try:
        yield engine
    finally:
        stopped.set()  # also after a failure: what waits must not hold up the end
        engine.close(_STOP_SECONDS)
        _release(execution)


def _release(execution: Execution) -> None:
    """That this process stopped while a job was at work is no crash of the job."""
    try:
        execution.runs.release(execution.executor)
    except OUTAGES as error:
        _log.warning("the database is away: an interrupted job counts a crash", extra={"error": str(error)})


def _announce(system: System, job: JobRecord) -> None:
    """Have the next of the kind started, and the caller told; the reconciler makes good what is lost."""
    messages = [START[job.profile].message(job.id)]
    if job.webhook_url is not None:
        messages.append(send_callbacks.message())
    for message in messages:
        log_and_continue(partial(system.services.publish, message), "cannot publish what follows a job")


def _keep_up(system: System, engine: Engine, executor: str, stopped: Event) -> None:
    """Recover what the dead left, take back what was lost and forget what is old, until `stopped`."""
    lease = Lease(system.redis, "job-recovery", _LEASE_SECONDS)
    jobs = system.services.store.jobs
    recovery = Recovery(engine, system.heartbeats, lease, executor, role=ROLE, fact=EXECUTOR)
    chores = [
        PeriodicTask(_LOOK_SECONDS, recovery.look, "cannot look after dead executors"),
        PeriodicTask(_TAKE_BACK_SECONDS, lambda: take_back(jobs, engine), "cannot take back jobs"),
        PeriodicTask(_FORGET_SECONDS, lambda: _forget(system, engine), "cannot forget old jobs"),
    ]
    services = job_services(system)
    chores.append(PeriodicTask(_REFUND_SECONDS, lambda: poll_refunds(services), "cannot follow refunds"))
    systemd.ready()
    while not stopped.wait(_LOOK_SECONDS):
        systemd.alive()
        for chore in chores:
            chore.do(time.monotonic())


@dataclass(slots=True)
class PeriodicTask:
    """Something to do every `every_seconds`, at once at first; a failure is logged as `trouble`."""

    every_seconds: float
    work: Callable[[], object]
    trouble: str
    due_at: float = 0.0

    def do(self, now: float) -> None:
        """Do it when it is due."""
        if now >= self.due_at:
            self.due_at = now + self.every_seconds
            log_and_continue(self.work, self.trouble)


def _forget(system: System, engine: Engine) -> None:
    services, lifetime = system.services, timedelta(days=system.settings.job_retention_days)
    storage = job_services(system).storage
    purge_expired(services.store.jobs, storage, engine, now=services.clock.now(), lifetime=lifetime)
