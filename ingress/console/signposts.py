"""Where a person reads on about an alert: the page that shows it, and what to do."""

from __future__ import annotations

from domain.alert import RunbookLink
from observability.checks import CHECKS

_PLACES = {check.name: (check.page, check.runbook) for check in CHECKS}
_OTHERWISE = ("", "unreadable-readings")


def runbook_link(base_url: str, name: str) -> RunbookLink:
    """The addresses about the alert rule `name`, for a system at `base_url`."""
    console, runbook = _places(name)
    return RunbookLink(f"{base_url}/health", base_url + console, base_url + runbook)


def runbook(name: str) -> str:
    """The path of what to do about the alert rule `name`."""
    return _places(name)[1]


def _places(name: str) -> tuple[str, str]:
    page, section = _PLACES.get(name.partition("/")[0], _OTHERWISE)
    return f"/console/{page}", f"/runbook/{section}"
