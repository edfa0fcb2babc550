"""`CHECKS`, the list of all health checks. Every view shows its findings; alerts follow from it."""

from __future__ import annotations

from domain.check import Check, Finding, evaluate
from observability.checks import host, infrastructure, pipeline
from observability.checks.snapshot import SystemSnapshot

CHECKS: tuple[Check[SystemSnapshot], ...] = (*infrastructure.CHECKS, *pipeline.CHECKS, *host.CHECKS)


def findings(state: SystemSnapshot) -> list[Finding]:
    """Every finding about `state`."""
    return evaluate(CHECKS, state)
