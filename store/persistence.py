"""Retries writes that must survive a database outage until they succeed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy.exc

Pause = Callable[[float], bool]
"""Waits for some seconds; returns True if there is no time left."""

OUTAGES = (
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.InternalError,  # PostgreSQL that is temporarily read-only
    sqlalchemy.exc.TimeoutError,
)
_RETRY_SECONDS = 1.0
T = TypeVar("T")
_log = logging.getLogger(__name__)


def retry_during_outage(access: Callable[[], T], pause: Pause) -> T:
    """Call `access` until the database answers, and return its result. `access` must be idempotent.

    A commit whose answer was lost counts as an outage; the retry finds its writes. Raises: the last outage if
    `pause` reports that no time is left.
    """
    while True:
        try:
            return access()
        except OUTAGES as error:
            _log.warning("the database is unavailable", extra={"error": str(error)})
            if pause(_RETRY_SECONDS):
                raise
