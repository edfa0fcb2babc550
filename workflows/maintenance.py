"""Recovers the jobs of dead processes, requeues lost jobs, and purges expired ones.

A process that restarts under its own name recovers its own work; recovery here covers machines that do not
come back. A process that is wrongly considered dead does no harm: the process that takes a job over raises
its fence. Purging deletes what an ended job stored, then what the engine stores of it, and its row last.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from domain.job import job_id_of
from domain.ports import Storage
from resilience.heartbeats import Heartbeats
from resilience.lease import Lease, LeaseHeldError
from store.jobs.jobs import Jobs
from store.uploads import Uploads, upload_prefix

MISSING_SECONDS = 15.0  # beyond the heartbeat's own expiry: Redis itself may just have restarted, empty
_log = logging.getLogger(__name__)


UNUSED_LIFETIME = timedelta(hours=24)  # of an upload
_CHECKED_AT_ONCE, _PURGED_AT_ONCE = 500, 100


class EngineView(Protocol):
    """What maintenance needs of the engine: see `workflows.engine.Engine`."""

    def unknown(self, ids: Sequence[str]) -> list[str]:
        """Return the workflow ids, one per phase of a job, that the engine does not know."""

    def ended(self, ids: Sequence[str]) -> list[str]:
        """Return the workflow ids that the engine ended by itself."""

    def resume(self, workflow: str) -> None:
        """Resume such a workflow after the last stored step."""

    def purge(self, ids: Sequence[str]) -> None:
        """Delete what is stored of these workflows of ended jobs. Idempotent."""


def restore_active(jobs: Jobs, engine: EngineView) -> None:
    """Requeue or resume active jobs that the engine should execute and does not.

    A job without a workflow, for example after a restore from a backup, is queued again and restarts from its
    first step. A job whose workflow the engine ended resumes: only a job's row ends it.
    """
    after = 0
    while page := jobs.enqueued(after, _CHECKED_AT_ONCE):
        after = max(page)
        ids = list(page.values())
        if lost := engine.unknown(ids):
            _log.warning("jobs requeued that the engine had lost", extra={"job_ids": lost})
            jobs.requeue(lost)
        for workflow in engine.ended(ids):
            _log.error("a job resumes that the engine had ended", extra={"job_id": job_id_of(workflow)})
            engine.resume(workflow)


class Executors(Protocol):
    """The engine's processes: see `workflows.engine.Engine`."""

    def executors(self) -> set[str]:
        """Return the executors with work in progress, live or dead."""

    def recover(self, executor: str) -> int:
        """Requeue the work of a dead executor; return the number of jobs."""


class Recovery:
    """Recovers dead executors on behalf of `executor`; live ones are the `fact` of processes of `role`."""

    def __init__(  # noqa: PLR0913
        self,
        engine: Executors,
        heartbeats: Heartbeats,
        lease: Lease,
        executor: str,
        *,
        role: str,
        fact: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._heartbeats = heartbeats
        self._lease = lease
        self._executor = executor
        self._role, self._fact = role, fact
        self._monotonic = monotonic
        self._missing_since: dict[str, float] = {}

    def check(self) -> None:
        """Requeue the work of executors that were missing for long enough. Raises: UnreachableError."""
        missing = self._engine.executors() - self._alive()
        now = self._monotonic()
        self._missing_since = {name: self._missing_since.get(name, now) for name in missing}
        dead = [name for name, since in self._missing_since.items() if now - since >= MISSING_SECONDS]
        if dead:
            self._recover(dead)

    def _alive(self) -> set[str]:
        beats = self._heartbeats.alive(self._role)
        return {self._executor, *(beat.facts[self._fact] for beat in beats if self._fact in beat.facts)}

    def _recover(self, dead: list[str]) -> None:
        try:
            with self._lease.holding(self._executor, {"executor": self._executor}) as fence:
                for name in dead:
                    jobs = self._engine.recover(name)
                    _log.warning("recovered", extra={"executor": name, "jobs": jobs, "fence": fence})
        except LeaseHeldError:
            return  # another process recovers them


def artifacts(job_id: str) -> str:
    """Return the storage prefix of a job's artifacts."""
    return f"jobs/{job_id}/"


def purge_expired(
    jobs: Jobs, storage: Storage, engine: EngineView, *, now: datetime, lifetime: timedelta
) -> int:
    """Purge the jobs that ended more than `lifetime` ago; return their number.

    Safe to repeat after a crash.
    """
    purged = 0
    while ids := jobs.ended_before(now - lifetime, _PURGED_AT_ONCE):
        for job_id in ids:
            storage.delete(artifacts(job_id))
        engine.purge(jobs.workflow_ids(ids))
        jobs.purge(ids)
        purged += len(ids)
        _log.info("jobs purged", extra={"jobs": len(ids)})
    return purged


def purge_uploads(uploads: Uploads, storage: Storage, *, now: datetime) -> int:
    """Delete the uploads of more than a day ago that no job uses; return their number.

    The content goes first and the row last, so that the next call finds what a crash leaves.
    """
    purged = 0
    while ids := uploads.expire(now - UNUSED_LIFETIME, _PURGED_AT_ONCE):
        for upload_id in ids:
            storage.delete(upload_prefix(upload_id))
        uploads.purge(ids)
        purged += len(ids)
        _log.info("unused uploads purged", extra={"uploads": len(ids)})
    return purged
