"""Trigger a run of checks, and release the cron lease."""

from __future__ import annotations

from actors.dispatch import trigger_run
from actors.services import Services
from domain.run import Run
from domain.section import Stagger
from operations.operation import entry, record
from resilience.lease import LeaseHolder


def trigger(
    services: Services, stagger: Stagger | None, by: str, *, origin: str, force: bool
) -> tuple[Run, bool]:
    """Return a queued run and True, or this slot's first run and False; None means the half due last.

    Shape: `origin` is where it was requested, as the run's `trigger` shows it.
    """
    asked = entry(services, by, "run.trigger", "run", stagger=str(stagger or "auto"), force=force)
    return trigger_run(services, origin, stagger, force=force, entry=asked)


def release(services: Services, by: str) -> LeaseHolder | None:
    """Release the lease; return its holder, or None. The holder can change nothing afterwards."""
    lease = services.cron_lease
    holder = lease.force_release(by)
    if holder is not None:
        record(services, by, "lease.release", f"lease/{lease.name}", holder=dict(holder.holder))
    return holder
