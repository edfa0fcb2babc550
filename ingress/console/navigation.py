"""The console's pages, in the order in which they are offered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the navigation."""

    label: str
    path: str


NAVIGATION = (
    NavItem("Now", "/console/"),
    NavItem("Sections", "/console/sections"),
    NavItem("Watches", "/console/watches"),
    NavItem("Timeline", "/console/timeline"),
    NavItem("Runs", "/console/runs"),
    NavItem("Jobs", "/console/jobs"),
    NavItem("Mail", "/console/mail"),
    NavItem("Dead letters", "/console/dead"),
    NavItem("Audit", "/console/audit"),
)


def current(path: str) -> NavItem | None:
    """The entry to which `path` belongs: the most exact one."""
    within = [
        place for place in NAVIGATION if path == place.path or path.startswith(f"{place.path.rstrip('/')}/")
    ]
    return max(within, key=lambda place: len(place.path), default=None)
