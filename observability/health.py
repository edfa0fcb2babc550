"""The answers of `/health` and `/readyz`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The status (healthy, degraded, unhealthy), and each check's value by its name."""

    status: str
    checks: dict[str, object]
