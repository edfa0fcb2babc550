"""Operator control of circuit breakers: force open, force closed, reset."""

from __future__ import annotations

from actors.services import Services
from domain.errors import InvalidInputError, UnreachableError
from operations.operation import record
from resilience.breaker import CircuitBreaker
from resilience.breaker_model import BreakerSnapshot


def read(services: Services) -> list[BreakerSnapshot]:
    """Return every breaker's fleet-wide state. Raises: UnreachableError when only local state is readable."""
    snapshots = [breaker.snapshot() for breaker in services.breakers.values()]
    if any(snapshot.scope != "fleet" for snapshot in snapshots):
        raise UnreachableError("Redis cannot be reached, and each process decides for itself")
    return snapshots


def force_open(services: Services, name: str, by: str) -> BreakerSnapshot:
    """Force the breaker open until it is reset: it refuses every request."""
    breaker = named(services, name)
    breaker.force_open(by)
    return _told(services, breaker, "breaker.open", by)


def force_closed(services: Services, name: str, by: str) -> BreakerSnapshot:
    """Force the breaker closed until it is reset: it grants every request. Waiting work is due at once."""
    breaker = named(services, name)
    breaker.force_closed(by)
    services.store.waits.resume(name)
    return _told(services, breaker, "breaker.close", by)


def reset(services: Services, name: str, by: str) -> BreakerSnapshot:
    """Close the breaker and resume automatic control.

    Waiting work is due at once; Rollcall's own pause ends.
    """
    breaker = named(services, name)
    breaker.reset(by)
    pause = services.store.pauses.find(name)
    if pause is not None:
        services.store.pauses.end_ours(pause)
    services.store.waits.resume(name)
    return _told(services, breaker, "breaker.reset", by)


def _told(services: Services, breaker: CircuitBreaker, action: str, by: str) -> BreakerSnapshot:
    record(services, by, action, f"breaker/{breaker.name}")
    return breaker.snapshot()


def named(services: Services, name: str) -> CircuitBreaker:
    """Return the breaker `name`. Raises: InvalidInputError for an unknown name, as all functions here do."""
    if name not in services.breakers:
        raise InvalidInputError({"name": f"must be one of {', '.join(services.breakers)}"})
    return services.breakers[name]
