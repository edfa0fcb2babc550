"""What a house's audit says."""

from __future__ import annotations

from store.audit import AuditEntry
from tests.support.house import House


def recorded(rollcall: House) -> list[tuple[str, str, str, int]]:
    """Who did what to what and how much of it, the oldest first."""
    return [(entry.by, entry.action, entry.subject, entry.count) for entry in entries(rollcall)]


def entries(rollcall: House) -> list[AuditEntry]:
    """Every entry, the oldest first."""
    records, _ = rollcall.services.store.audit.page(None, 1000)
    return [record.entry for record in reversed(records)]
