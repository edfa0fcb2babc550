"""Count, requeue and purge dead letters; requeues and purges are recorded with their count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from operations.operation import AdminContext, entry
from resilience.dead_letters import CauseGroup, DeadLetterFilter, grouped

_SUBJECT = "dead letters"


def groups(room: AdminContext, wanted: DeadLetterFilter, limit: int) -> list[CauseGroup]:
    """Return the dead letters that match `wanted` by cause, most frequent first, the last `limit` of each."""
    return grouped(room.letters().find(wanted), limit)


def count(room: AdminContext, wanted: DeadLetterFilter) -> int:
    """Return how many dead letters match `wanted`."""
    return room.letters().count(wanted)


def retry(
    room: AdminContext,
    wanted: DeadLetterFilter,
    by: str,
    *,
    per_second: float | None = None,
    limit: int | None = None,
) -> int:
    """Requeue the matching dead letters as new messages, oldest first; return the count."""
    chunks = room.letters().retry(wanted, per_second=per_second, limit=limit)
    return _recorded(room, "dead.retry", wanted, by, chunks)


def purge(
    room: AdminContext,
    wanted: DeadLetterFilter,
    by: str,
    *,
    per_second: float | None = None,
    limit: int | None = None,
) -> int:
    """Delete the matching dead letters, oldest first; return the count."""
    chunks = room.letters().purge(wanted, per_second=per_second, limit=limit)
    return _recorded(room, "dead.purge", wanted, by, chunks)


def _recorded(
    room: AdminContext, action: str, wanted: DeadLetterFilter, by: str, chunks: Iterator[int]
) -> int:
    """Process `chunks` and record the count, also after an interruption."""
    done = 0
    try:
        for n in chunks:
            done += n
    finally:
        told = entry(room.services, by, action, _SUBJECT, **wanted.criteria)
        room.services.store.audit.record(replace(told, count=done))
    return done
