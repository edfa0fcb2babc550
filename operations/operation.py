"""The context of an operator's action beyond the actors' services, and its audit record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.services import Services
from domain.errors import PermanentError
from resilience.dead_letters import DeadLetterQueue
from resilience.heartbeats import Heartbeats
from resilience.queues import QueueStats
from store.audit import AuditEntry


@dataclass(frozen=True, slots=True)
class AdminContext:
    """Everything that an operator can see and operate.

    Shape: `queues` reads every queue, and raises when the broker does not answer; `dead_letters` is None
    where the broker does not expose them (RabbitMQ); `is_scheduled` is whether runs are scheduled. `probes`
    has "database", "redis" and "broker": each raises unless the server accepts the product's requests,
    including writes. `home` is the installation's folder.
    """

    services: Services
    heartbeats: Heartbeats
    queues: Callable[[], Mapping[str, QueueStats]]
    dead_letters: DeadLetterQueue | None
    is_scheduled: bool
    probes: Mapping[str, Callable[[], object]]
    home: Path | None

    def letters(self) -> DeadLetterQueue:
        """Return the dead letters. Raises: PermanentError where they cannot be read."""
        if self.dead_letters is None:
            raise PermanentError(
                "dead letters can be listed with a Redis broker only: RabbitMQ keeps them in its queues *.XQ"
            )
        return self.dead_letters


def entry(services: Services, by: str, action: str, subject: str, **detail: Any) -> AuditEntry:
    """Return the audit entry of an action at this moment; effect and entry share a transaction."""
    return AuditEntry(services.clock.now(), by, action, subject, detail)


def record(services: Services, by: str, action: str, subject: str, **detail: Any) -> None:
    """Record an action whose effect lies outside the database and has just happened."""
    services.store.audit.record(entry(services, by, action, subject, **detail))
