"""Every half minute somebody looks whether a person is needed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

from actors.alert import tell
from domain.alert import AlertState, Symptom
from domain.errors import UnreachableError
from resilience.queues import QueueReading
from rollcall.conditions import UNREADABLE, conditions
from rollcall.instruments import read
from rollcall.wiring import System

PERIOD = timedelta(seconds=30)
_log = logging.getLogger(__name__)


def look(system: System, queues: Callable[[], Mapping[str, QueueReading]]) -> None:
    """Read, judge, take note, and have told what is new."""
    alerts, found = system.services.store.alerts, conditions(read(system, queues))
    alerts.observe(found | _vanished(system, found), system.services.clock.now())
    if alerts.is_due(system.services.clock.now()):
        _have_told(system)


def _vanished(system: System, found: Mapping[str, Symptom | None]) -> dict[str, Symptom | None]:
    """Alerts of what is no more (a pause that was ended, a source that was taken out): they are over."""
    raised = [alert.name for alert in system.services.store.alerts.all() if alert.state is AlertState.RAISED]
    gone = [name for name in raised if name not in found]
    return {name: None for name in gone if found.get(f"{UNREADABLE}/{name.partition('/')[0]}") is None}


def _have_told(system: System) -> None:
    """Leave it to a worker; where none is known to live, or none can be reached, tell it here."""
    try:
        if system.heartbeats.alive("worker"):
            system.services.publish(tell.message())
            return
    except UnreachableError as error:
        _log.warning("no worker can be reached", extra={"error": str(error)})
    tell(system.services)
