"""What is tried again by itself need not disturb anybody."""

from __future__ import annotations

import logging
from collections.abc import Callable

import redis

from domain.errors import UnreachableError

_log = logging.getLogger(__name__)


def log_and_continue(work: Callable[[], object], complaint: str) -> None:
    """Do `work`; that Redis is away, or refuses (no memory, say), is logged, for it will be tried again."""
    try:
        work()
    except (UnreachableError, redis.RedisError) as error:
        _log.warning(complaint, extra={"error": str(error)})
