"""How an operation is recorded."""

from __future__ import annotations

from typing import Any

from actors.services import Services
from store.audit import AuditEntry


def entry(services: Services, by: str, action: str, subject: str, **detail: Any) -> AuditEntry:
    """The entry of an operation that is done now; its effect and its record share a transaction."""
    return AuditEntry(services.clock.now(), by, action, subject, detail)


def record(services: Services, by: str, action: str, subject: str, **detail: Any) -> None:
    """Record an operation whose effect lies outside the database, and has just come."""
    services.store.audit.record(entry(services, by, action, subject, **detail))
