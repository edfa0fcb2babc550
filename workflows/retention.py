"""Jobs that ended long ago are forgotten: what they stored, what the engine kept, and their rows last."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from domain.ports import Storage
from store.jobs.jobs import Jobs

_AT_ONCE = 100
_log = logging.getLogger(__name__)


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
    while ids := jobs.ended_before(now - lifetime, _AT_ONCE):
        for job_id in ids:
            storage.delete(artifacts(job_id))
        engine.forget(ids)
        jobs.forget(ids)
        forgotten += len(ids)
        _log.info("jobs forgotten", extra={"jobs": len(ids)})
    return forgotten
