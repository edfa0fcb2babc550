"""`CHECKS`, the single list of checks. A new alert is a new check here; every view shows it."""

from __future__ import annotations

from domain.check import Check, Finding, evaluate
from observability.checks import host, infrastructure, pipeline
from observability.checks.snapshot import SystemSnapshot

CHECKS: tuple[Check[SystemSnapshot], ...] = (*infrastructure.CHECKS, *pipeline.CHECKS, *host.CHECKS)


def findings(state: SystemSnapshot) -> list[Finding]:
    """Return every finding about `state`."""
    return evaluate(CHECKS, state)
