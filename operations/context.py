"""What an operator sees and operates, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

from actors.services import Services
from domain.errors import PermanentError
from resilience.dead_letters import DeadLetterQueue
from resilience.heartbeats import Heartbeats
from resilience.queues import QueueStats
from store.audit import AuditEntry

BY_API, BY_CRON = "the API", "the cron trigger"
"""Who acts with the API's token, and with the secret of the cron triggers."""
_REQUEST_SECONDS, _MAX_PER_SECOND = 10, 100.0


class Surface(StrEnum):
    """Where operators act; the value is the `trigger` of the runs that they start there."""

    CLI = "cli"
    CONSOLE = "console"
    API = "http"


@dataclass(frozen=True, slots=True)
class AdminContext:
    """Everything that an operator can see and operate.

    Shape: `queues` reads every queue, and raises when the broker does not answer; `dead_letters` is None
    where the broker does not expose them (RabbitMQ); `is_scheduled` is whether runs are scheduled. `probes`
    has "database", "redis" and "broker": each raises unless the server accepts the product's requests,
    including writes. `home` is the installation's folder; `surface` is where the operator acts.
    """

    services: Services
    heartbeats: Heartbeats
    queues: Callable[[], Mapping[str, QueueStats]]
    dead_letters: DeadLetterQueue | None
    is_scheduled: bool
    probes: Mapping[str, Callable[[], object]]
    home: Path | None
    surface: Surface = Surface.CLI

    def on(self, surface: Surface) -> Self:
        """Return the context of an operator who acts on `surface`."""
        return replace(self, surface=surface)

    def letters(self) -> DeadLetterQueue:
        """Return the dead letters. Raises: PermanentError where they cannot be read."""
        if self.dead_letters is None:
            raise PermanentError(
                "dead letters can be listed with a Redis broker only: RabbitMQ keeps them in its queues *.XQ"
            )
        return self.dead_letters

    def bounds(self, per_second: float | None) -> tuple[int | None, float | None]:
        """Return how many items a bulk operation takes at most, and how many a second; None is no limit.

        A request to the web server takes at most ten seconds.
        """
        if self.surface is Surface.CLI:
            return None, per_second
        per_second = min(per_second or _MAX_PER_SECOND, _MAX_PER_SECOND)
        return max(1, int(per_second * _REQUEST_SECONDS)), per_second

    def record(self, entry: AuditEntry) -> None:
        """Record an action before its effect outside the database."""
        self.services.store.audit.record(entry)
