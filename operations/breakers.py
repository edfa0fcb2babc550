"""Operator control of circuit breakers: force open, force closed, reset."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from actors.services import Services
from domain.errors import InvalidInputError, UnreachableError
from domain.text import plural
from operations.context import AdminContext
from operations.inputs import Text
from operations.operation import Operation, OperationResult, Plan
from resilience.breaker import CircuitBreaker
from resilience.breaker_model import BreakerSnapshot
from store.audit import AuditEntry


class BreakerInput(Struct, frozen=True):
    """The breaker."""

    name: Text


def read(services: Services) -> list[BreakerSnapshot]:
    """Return every breaker's fleet-wide state. Raises: UnreachableError when only local state is readable."""
    return [_fleet_wide(breaker) for breaker in services.breakers.values()]


def named(services: Services, name: str) -> CircuitBreaker:
    """Return the breaker `name`. Raises: InvalidInputError for an unknown name."""
    if name not in services.breakers:
        raise InvalidInputError({"name": f"must be one of {', '.join(services.breakers)}"})
    return services.breakers[name]


def _fleet_wide(breaker: CircuitBreaker) -> BreakerSnapshot:
    snapshot = breaker.snapshot()
    if snapshot.scope != "fleet":
        raise UnreachableError("Redis cannot be reached, and each process decides for itself")
    return snapshot


def _force_open(services: Services, name: str, by: str) -> None:
    named(services, name).force_open(by)


def _force_closed(services: Services, name: str, by: str) -> None:
    named(services, name).force_closed(by)
    services.store.waits.resume(name)


def _reset(services: Services, name: str, by: str) -> None:
    named(services, name).reset(by)
    pause = services.store.pauses.find(name)
    if pause is not None:
        services.store.pauses.end_ours(pause)
    services.store.waits.resume(name)


def _operation(
    verb: str,
    button: str,
    effect: str,
    control: Callable[[Services, str, str], None],
    result: str,
) -> Operation[BreakerInput, BreakerSnapshot]:
    def plan(context: AdminContext, given: BreakerInput) -> Plan:
        state = _describe(named(context.services, given.name).snapshot())
        return Plan(f"{button} the breaker {given.name}?", button, (state, effect))

    def run(
        context: AdminContext, given: BreakerInput, entry: AuditEntry
    ) -> OperationResult[BreakerSnapshot]:
        breaker = named(context.services, given.name)
        _fleet_wide(breaker)
        context.record(entry)
        control(context.services, given.name, entry.by)
        return OperationResult(f"The breaker {given.name} {result}.", breaker.snapshot())

    return Operation(
        f"breaker.{verb}",
        f"{button} the breaker NAME. {effect}",
        BreakerInput,
        lambda given: f"breaker/{given.name}",
        plan,
        run,
        choices=lambda context: {"name": context.services.breakers},
    )


def _describe(snapshot: BreakerSnapshot) -> str:
    forced = f", forced by {snapshot.forced_by}" if snapshot.forced else ""
    failures = plural(snapshot.failures, "failure")
    return f"It is {snapshot.state.replace('_', ' ')}{forced}; it has counted {failures}."


OPEN = _operation(
    "open",
    "Force open",
    "It refuses every request until it is reset. Messages wait; nothing is lost.",
    _force_open,
    "is forced open",
)
CLOSE = _operation(
    "close",
    "Force closed",
    "It grants every request until it is reset, whatever fails. Waiting work is due at once.",
    _force_closed,
    "is forced closed",
)
RESET = _operation(
    "reset",
    "Reset",
    "It closes, clears its counts and resumes automatic control. Waiting work is due at once.",
    _reset,
    "is reset",
)
