"""The control room of this system."""

from __future__ import annotations

from operations.room import ControlRoom
from rollcall import brokers
from rollcall.health import Health
from rollcall.instruments import is_scheduled
from rollcall.wiring import System


def control_room(system: System, health: Health | None = None) -> ControlRoom:
    """What an operator sees and touches; `health` reads the queues."""
    return ControlRoom(
        services=system.services,
        heartbeats=system.heartbeats,
        queues=(health or Health(system)).queues,
        dead_letters=brokers.dead_letters(system.settings, system.broker),
        is_scheduled=is_scheduled(system),
    )
