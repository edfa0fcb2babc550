"""Retries writes that must survive a database outage until they succeed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy.exc

Pause = Callable[[float], bool]
"""Waits for some seconds; True when there is no more time to wait."""

OUTAGES = (
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.InternalError,  # PostgreSQL that is read-only for a while
    sqlalchemy.exc.TimeoutError,
)
_RETRY_SECONDS = 1.0
T = TypeVar("T")
_log = logging.getLogger(__name__)


def persistently(access: Callable[[], T], pause: Pause) -> T:
    """What `access` returns, as soon as the database answers. It must be safe to repeat.

    A commit whose answer was lost counts as an outage: the repetition finds what it has written. Raises: the
    last outage when `pause` says that the time is up.
    """
    while True:
        try:
            return access()
        except OUTAGES as error:
            _log.warning("the database is away", extra={"error": str(error)})
            if pause(_RETRY_SECONDS):
                raise
