"""The demo: when no catalog is configured, somebody already watches the campus, so that mail arrives."""

from __future__ import annotations

from catalogs.demo_campus import DemoCampus
from domain.watch import Watch
from rollcall.wiring import System

STUDENTS = ("ada@example.edu", "grace@example.edu", "alan@example.edu")


def seed_demo_watches(system: System) -> None:
    """Give every demo section a watcher, once: whoever has stopped a watch is not signed up again."""
    watches = system.services.store.watches
    if not system.is_demo or watches.any():
        return
    wanted = [Watch(STUDENTS[i % len(STUDENTS)], key) for i, key in enumerate(DemoCampus.sections())]
    watches.add_all(wanted, system.services.clock.now())
