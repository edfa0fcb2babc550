"""Where a person reads on about an alert: the page that shows it, and what to do."""

from __future__ import annotations

from domain.alert import Signpost

# By the first part of a condition's name: the page under /console/, and the chapter of the runbook.
_PLACES = {
    "breakers": ("#breakers", "breaker-open"),
    "pauses": ("#sources", "paused"),
    "queues": ("dead", "dead-letters-rising"),
    "losses": ("mail?state=dead", "mail-lost"),
    "runs": ("runs", "no-finished-run"),
    "outbox": ("mail?state=pending", "delivery-stuck"),
    "sources": ("#sources", "source-silent"),
    "disk": ("", "disk-nearly-full"),
    "workers": ("#workers", "no-worker"),
    "jobs": ("jobs", "no-worker"),
    "payments": ("jobs?kind=report", "report-undelivered"),
}
_OTHERWISE = ("", "unreadable-readings")


def signpost(base_url: str, name: str) -> Signpost:
    """The addresses about the condition `name`, for a system at `base_url`."""
    console, runbook = _places(name)
    return Signpost(f"{base_url}/health", base_url + console, base_url + runbook)


def runbook(name: str) -> str:
    """The path of what to do about the condition `name`."""
    return _places(name)[1]


def _places(name: str) -> tuple[str, str]:
    shown, chapter = _PLACES.get(name.partition("/")[0], _OTHERWISE)
    return f"/console/{shown}", f"/runbook/{chapter}"
