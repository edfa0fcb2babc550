"""Taking the cron lease from its holder."""

from __future__ import annotations

from actors.services import Services
from operations.record import record
from resilience.lease import LeaseHolder


def release(services: Services, by: str) -> LeaseHolder | None:
    """Take it from whoever holds it, who changes nothing any more; who that was, or None."""
    lease = services.cron_lease
    holder = lease.force_release(by)
    if holder is not None:
        record(services, by, "lease.release", f"lease/{lease.name}", holder=dict(holder.holder))
    return holder
