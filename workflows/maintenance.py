"""Work that a dead process left behind is put back into the queues, by one of those who live.

A process that starts again under its own name takes up its own work by itself; this is for machines that do
not come back. Who is wrongly taken for dead does no harm: whoever takes a job up raises its fence.

Jobs that ended long ago are forgotten: what they stored, what the engine kept, and their rows last.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from domain.ports import Storage
from resilience.heartbeats import Heartbeats
from resilience.lease import Lease, LeaseHeldError
from store.jobs.jobs import Jobs

MISSED_SECONDS = 15.0  # beyond the heartbeat's own time: Redis itself may just have come back, empty
_log = logging.getLogger(__name__)


_AT_ONCE = 500


class EngineView(Protocol):
    """What knows which jobs it was given, and what became of them."""

    def unknown(self, ids: Sequence[str]) -> list[str]:
        """Which of these jobs it was never given."""

    def given_up(self, ids: Sequence[str]) -> list[str]:
        """Which of these jobs it ended by itself."""

    def go_on(self, job_id: str) -> None:
        """Carry such a job on after the last step that was kept."""


def take_back(jobs: Jobs, engine: EngineView) -> None:
    """See to the living jobs that the engine should have in hand and has not.

    What it was never given, as after a restore from a backup, is queued again and begins anew: what the steps
    did before is known to no engine any more. What it ended by itself goes on: a job ends by its row alone.
    """
    after = 0
    while page := jobs.accepted(after, _AT_ONCE):
        after = max(page)
        ids = list(page.values())
        if lost := engine.unknown(ids):
            _log.warning("jobs taken back", extra={"jobs": lost})
            jobs.take_back(lost)
        for job_id in engine.given_up(ids):
            _log.error("a job goes on that the engine had given up", extra={"job": job_id})
            engine.go_on(job_id)


class Recoverable(Protocol):
    """What knows who has work in hand."""

    def executors(self) -> set[str]:
        """Those who have work in hand, alive or dead."""

    def recover(self, executor: str) -> int:
        """Put what a dead one had in hand back into the queues; how much that was."""


class Recovery:
    """Looks after the dead for `executor`; `role` and `fact` are where the living say their names."""

    def __init__(  # noqa: PLR0913
        self,
        work: Recoverable,
        heartbeats: Heartbeats,
        lease: Lease,
        executor: str,
        *,
        role: str,
        fact: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work = work
        self._heartbeats = heartbeats
        self._lease = lease
        self._executor = executor
        self._role, self._fact = role, fact
        self._monotonic = monotonic
        self._missed_since: dict[str, float] = {}

    def look(self) -> None:
        """Recover what those had in hand who have been missed for long enough. Raises: UnreachableError."""
        missed = self._work.executors() - self._alive()
        now = self._monotonic()
        self._missed_since = {name: self._missed_since.get(name, now) for name in missed}
        dead = [name for name, since in self._missed_since.items() if now - since >= MISSED_SECONDS]
        if dead:
            self._recover(dead)

    def _alive(self) -> set[str]:
        beats = self._heartbeats.alive(self._role)
        return {self._executor, *(beat.facts[self._fact] for beat in beats if self._fact in beat.facts)}

    def _recover(self, dead: list[str]) -> None:
        try:
            with self._lease.holding(self._executor, {"executor": self._executor}) as fence:
                for name in dead:
                    jobs = self._work.recover(name)
                    _log.warning("recovered", extra={"executor": name, "jobs": jobs, "fence": fence})
        except LeaseHeldError:
            return  # another sees to it


_PURGED_AT_ONCE = 100


class PurgeEngine(Protocol):
    """What keeps something of each job."""

    def forget(self, ids: Sequence[str]) -> None:
        """Remove what is kept of jobs that have ended. Safe to repeat."""


def artifacts(job_id: str) -> str:
    """The prefix of everything that a job stores."""
    return f"jobs/{job_id}/"


def purge_expired(
    jobs: Jobs, storage: Storage, engine: PurgeEngine, *, now: datetime, lifetime: timedelta
) -> int:
    """Forget the jobs that ended more than `lifetime` ago; how many. A crash in between is made good."""
    forgotten = 0
    while ids := jobs.ended_before(now - lifetime, _PURGED_AT_ONCE):
        for job_id in ids:
            storage.delete(artifacts(job_id))
        engine.forget(ids)
        jobs.forget(ids)
        forgotten += len(ids)
        _log.info("jobs forgotten", extra={"jobs": len(ids)})
    return forgotten
