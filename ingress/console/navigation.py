"""The console's pages, in the order in which they are offered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation."""

    label: str
    path: str


NAVIGATION = (
    Place("Now", "/console/"),
    Place("Sections", "/console/sections"),
    Place("Watches", "/console/watches"),
    Place("Timeline", "/console/timeline"),
    Place("Runs", "/console/runs"),
    Place("Jobs", "/console/jobs"),
    Place("Mail", "/console/mail"),
    Place("Dead letters", "/console/dead"),
    Place("Audit", "/console/audit"),
)


def current(path: str) -> Place | None:
    """The entry to which `path` belongs: the most exact one."""
    within = [
        place for place in NAVIGATION if path == place.path or path.startswith(f"{place.path.rstrip('/')}/")
    ]
    return max(within, key=lambda place: len(place.path), default=None)
