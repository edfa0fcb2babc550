"""Pauses a source that refuses us or asks for a long wait, and resumes it when it answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from actors.services import Services
from domain.catalog import BlockedError
from domain.errors import RollcallError
from domain.retry import Subject, named_wait, pause_after, subject_of
from store.pauses import Pause

_log = logging.getLogger(__name__)


def pause_or_resume(
    services: Services,
    source: str,
    errors: Sequence[RollcallError],
    before: Pause | None,
    *,
    has_answered: bool,
) -> datetime:
    """Pause a source that refuses our credentials or asks for a long wait; return the pause's end.

    One answer ends the pause that was over `before` the request.
    """
    pauses, now = services.store.pauses, services.clock.now()
    for error in errors:
        if (wait := pause_after(error, named_wait(error))) is None:
            continue
        reason = f"{_reason(error)}: {error}"
        until = pauses.pause_for(source, wait, reason, now).until
        _log.error("paused", extra={"source": source, "until": until, "reason": reason})
        return until
    if before is not None and has_answered and pauses.end_ours(before):
        _log.info("resumed", extra={"source": source})
    return now


def _reason(error: RollcallError) -> str:
    if isinstance(error, BlockedError):
        return "it permits no request"
    return "it refuses our credentials" if subject_of(error) is Subject.ACCOUNT else "it asks for a wait"
