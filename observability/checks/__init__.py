"""`CHECKS`, the single list of checks. A new alert is a new check here; every view shows it."""

from __future__ import annotations

from domain.alert import RunbookLink
from domain.check import Check, Finding, evaluate
from observability.checks import host, infrastructure, pipeline
from observability.checks.snapshot import SystemSnapshot

CHECKS: tuple[Check[SystemSnapshot], ...] = (*infrastructure.CHECKS, *pipeline.CHECKS, *host.CHECKS)


def findings(state: SystemSnapshot) -> list[Finding]:
    """Return every finding about `state`."""
    return evaluate(CHECKS, state)


_PAGES = {check.name: (check.page, check.runbook) for check in CHECKS}
_OTHERWISE = ("", "unreadable-checks")


def runbook_link(base_url: str, name: str) -> RunbookLink:
    """Return the URLs about the alert rule `name`, for a system at `base_url`."""
    page, section = _PAGES.get(name.partition("/")[0], _OTHERWISE)
    return RunbookLink(f"{base_url}/health", f"{base_url}/console/{page}", f"{base_url}/runbook/{section}")
