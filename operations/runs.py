"""Asking for a run of checks."""

from __future__ import annotations

from actors.dispatch import trigger_run
from actors.services import Services
from domain.run import Run
from domain.section import Stagger
from operations.record import entry


def trigger(
    services: Services, stagger: Stagger | None, by: str, *, origin: str, force: bool
) -> tuple[Run, bool]:
    """A queued run and True, or this slot's first run and False; None means the half that was due last.

    Shape: `origin` is where it was asked for, as the run's `trigger` shows it.
    """
    asked = entry(services, by, "run.trigger", "run", stagger=str(stagger or "auto"), force=force)
    return trigger_run(services, origin, stagger, force=force, entry=asked)
