"""What every trigger does: write the run, then publish its message. HTTP, schedule and CLI share it."""

from __future__ import annotations

import logging

from actors.dispatch import dispatch
from actors.services import Services
from domain.errors import UnreachableError
from domain.run import Run
from domain.section import Stagger
from observability.logs import bind_ids
from store.audit import AuditEntry

_log = logging.getLogger(__name__)


def trigger_run(
    services: Services,
    trigger: str,
    stagger: Stagger | None,
    *,
    force: bool,
    entry: AuditEntry | None = None,
) -> tuple[Run, bool]:
    """A queued run and True, or this slot's first run and False; None means the half that was due last.

    The row is what counts: when the broker cannot be reached, the reconciler publishes the message later.
    """
    now = services.clock.now()
    stagger = stagger or services.timetable.current(now)
    slot = services.timetable.slot(stagger, now)
    run, created = services.store.runs.open(trigger, stagger, slot, now, force=force, entry=entry)
    if created:
        with bind_ids(run=run.id):
            _log.info("triggered", extra={"trigger": trigger, "stagger": stagger, "slot": slot})
            publish_run(services, run)
    return run, created


def publish_run(services: Services, run: Run) -> None:
    """Publish the run's message, or leave that to the reconciler."""
    try:
        services.publish(dispatch.message(run.id))
    except UnreachableError as error:
        _log.warning(
            "broker unreachable, the reconciler will publish", extra={"run": run.id, "error": str(error)}
        )
