"""Queues `realtime`, `batch`, `cancel` and `callbacks`, worked off by the role `rollcall jobs`.

A message only says that a job's row is to be looked at: one that comes twice, late or never (the reconciler
publishes it again) changes nothing. Each profile has a queue of its own, so neither waits for the other.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from actors.registry import ActorSpec, actor
from actors.services import JobEngine, Services
from domain.errors import PermanentError, RejectedError, RollcallError
from domain.job import JobRecord, Profile
from store.jobs.callbacks import JobCallback

AHEAD = 32  # of a kind the engine has no more than that waiting: its own queues are not for thousands
LANED_AHEAD = 500  # at a time; but one account's many jobs must not keep those of others out
LEASE = timedelta(minutes=2)  # above the bound of one call: 10 s, and what a name server takes
MAX_CALLS = 12  # over about three and a half hours
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 10, 3600
_log = logging.getLogger(__name__)


def _start(services: Services, job_id: str) -> None:
    """Give the engine the next jobs of this one's kind, as many as it has room for."""
    jobs = services.store.jobs
    name = jobs.kind(job_id)
    if name is None:
        return
    kind = services.jobs.catalog.get(name)
    is_laned = kind is not None and kind.lane is not None
    room = LANED_AHEAD if is_laned else AHEAD - jobs.accepted_in_queue(name)
    if room > 0:
        for job, number in jobs.next_up(name, room):
            _give(services, job, number)


def _give(services: Services, job: JobRecord, number: int) -> None:
    _engine(services).start(job, number)
    services.store.jobs.accept(job.id, services.clock.now())


START: dict[Profile, ActorSpec[[str]]] = {
    Profile.REALTIME: actor(name="jobs.start", queue=Profile.REALTIME.value)(_start),
    Profile.BATCH: actor(name="jobs.start_batch", queue=Profile.BATCH.value, priority=1)(_start),
}


@actor(name="jobs.cancel", queue="cancel")
def cancel_job(services: Services, job_id: str) -> None:
    """Have a job that still waits for its turn begin, and so end, at once; one under way sees the mark."""
    job, number = services.store.jobs.get(job_id), services.store.jobs.number(job_id)
    if job is not None and number is not None:
        _give(services, job, number)
        _engine(services).hasten(job_id)


# A queue, and in the role a thread, of its own: who answers slowly holds up no job.
@actor(name="jobs.tell", queue="callbacks")
def send_callbacks(services: Services) -> None:
    """Tell callers of the ends that are due, until there are none."""
    while call := services.store.job_calls.claim(services.clock.now(), lease=LEASE):
        _call(services, call)


def _call(services: Services, call: JobCallback) -> None:
    error = _failure(services, call)
    calls, now = services.store.job_calls, services.clock.now()
    if error is None:
        calls.end(call, now)
        return
    reason = f"{type(error).__name__}: {error}"
    _log.warning("caller not told", extra={"job": call.job_id, "error": reason})
    if isinstance(error, RejectedError) or call.attempts + 1 >= MAX_CALLS:
        calls.end(call, now, reason)
    else:
        seconds = min(_FIRST_RETRY_SECONDS * 2**call.attempts, _LAST_RETRY_SECONDS)
        calls.postpone(call, now + timedelta(seconds=seconds), reason)


def _failure(services: Services, call: JobCallback) -> RollcallError | None:
    if services.jobs.post is None:
        raise PermanentError("this process tells no callers")
    try:
        services.jobs.post(call.url, call.job_id, call.body)
    except RollcallError as error:
        return error
    return None


def _engine(services: Services) -> JobEngine:
    if services.jobs.engine is None:
        raise PermanentError("this process carries out no jobs")
    return services.jobs.engine
