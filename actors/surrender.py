"""What is given up of a run: its sections are free for the next one, and the run may be over."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from actors.alert import report_run_finished
from actors.services import Services
from domain.run import Batch

_log = logging.getLogger(__name__)


def release_claims(services: Services, batches: Sequence[Batch]) -> None:
    """Free the sections of `batches`, which the store has given up, and have the end of their runs told."""
    for batch in batches:
        _log.warning("gave up", extra={"run": batch.run_id, "sections": len(batch.pending)})
        services.claims.release([str(key) for key in batch.pending], batch.run_id)
    for run_id in dict.fromkeys(batch.run_id for batch in batches):
        report_run_finished(services, run_id)
