"""What an operator's work needs beside the actors' services: the processes and the broker.

How an operation is recorded.
"""

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
    """Everything that an operator sees and touches.

    Shape: `queues` reads every queue, and raises when the broker does not answer; `dead_letters` is None
    where the broker keeps them to itself (RabbitMQ); `is_scheduled` tells whether runs come by themselves.
    `probes` has "database", "redis" and "broker": each raises unless the server takes what the product sends
    it, writes too. `home` is where the installation's files are.
    """

    services: Services
    heartbeats: Heartbeats
    queues: Callable[[], Mapping[str, QueueStats]]
    dead_letters: DeadLetterQueue | None
    is_scheduled: bool
    probes: Mapping[str, Callable[[], object]]
    home: Path | None

    def letters(self) -> DeadLetterQueue:
        """The dead letters. Raises: PermanentError where they cannot be read."""
        if self.dead_letters is None:
            raise PermanentError(
                "dead letters can be listed with a Redis broker only: RabbitMQ keeps them in its queues *.XQ"
            )
        return self.dead_letters


def entry(services: Services, by: str, action: str, subject: str, **detail: Any) -> AuditEntry:
    """The entry of an operation that is done now; its effect and its record share a transaction."""
    return AuditEntry(services.clock.now(), by, action, subject, detail)


def record(services: Services, by: str, action: str, subject: str, **detail: Any) -> None:
    """Record an operation whose effect lies outside the database, and has just come."""
    services.store.audit.record(entry(services, by, action, subject, **detail))
