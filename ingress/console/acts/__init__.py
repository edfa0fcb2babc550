"""The console's actions: one module per subject, each with its `ACTIONS`."""

from __future__ import annotations

from typing import Any

from ingress.console.actions import Operation
from ingress.console.acts import (
    breakers,
    dead,
    jobs,
    lease,
    mail,
    pauses,
    runs,
    sections,
    sheets,
    terms,
    watch_batches,
    watches,
)

_MODULES = (runs, jobs, pauses, breakers, lease, sections, terms, watches, watch_batches, sheets, mail, dead)
ACTIONS: tuple[Operation[Any], ...] = tuple(action for module in _MODULES for action in module.ACTIONS)
