"""Writes that a job cannot do without: repeated until the database answers, or given up with the process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from store.jobs.execution import JobLostError
from store.persistence import OUTAGES, Pause
from store.persistence import persistently as repeated

T = TypeVar("T")
_log = logging.getLogger(__name__)


class InterruptedJobError(BaseException):
    """The process stops, or has lost the job: nothing of what is under way is to be kept.

    No Exception, so that neither a workflow nor DBOS takes it for a failure of the step.
    """


def retry_until_stored(access: Callable[[], T], pause: Pause) -> T:
    """What `access` returns, as soon as the database answers.

    Raises: InterruptedJobError when the process stops before, or another has the job now.
    """
    try:
        return repeated(access, pause)
    except JobLostError as lost:
        _log.warning("lost", extra={"error": str(lost)})
        raise InterruptedJobError from lost
    except OUTAGES as error:
        raise InterruptedJobError from error
