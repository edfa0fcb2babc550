"""Writes that a job cannot do without: repeated until the database answers, or given up with the process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy.exc

from store.job_runs import JobLostError

Pause = Callable[[float], bool]
"""Waits for some seconds; True when the process is to stop, at once."""

OUTAGES = (
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.InternalError,  # PostgreSQL that is read-only for a while
    sqlalchemy.exc.TimeoutError,
)
_RETRY_SECONDS = 1.0
T = TypeVar("T")
_log = logging.getLogger(__name__)


class InterruptedJobError(BaseException):
    """The process stops, or has lost the job: nothing of what is under way is to be kept.

    No Exception, so that neither a workflow nor DBOS takes it for a failure of the step.
    """


def persistently(access: Callable[[], T], pause: Pause) -> T:
    """What `access` returns, as soon as the database answers.

    Raises: InterruptedJobError when the process stops before, or another has the job now.
    """
    while True:
        try:
            return access()
        except JobLostError as lost:
            _log.warning("lost", extra={"error": str(lost)})
            raise InterruptedJobError from lost
        except OUTAGES as error:
            _log.warning("the database is away", extra={"error": str(error)})
            if pause(_RETRY_SECONDS):
                raise InterruptedJobError from error
