"""What `/health` and `/readyz` answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The status in one word (healthy, degraded, unhealthy), and each check's value by its name."""

    status: str
    checks: dict[str, object]
