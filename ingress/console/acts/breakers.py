"""Force a breaker open or closed, and reset it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from actors.services import Services
from ingress.console.actions import Operation
from ingress.console.formatting import plural
from ingress.console.plan import Plan
from ingress.fields import text
from operations import breakers
from operations.operation import AdminContext
from resilience.breaker_model import BreakerSnapshot

_Turn = Callable[[Services, str, str], BreakerSnapshot]


@dataclass(frozen=True, slots=True)
class BreakerForm:
    """The breaker."""

    name: Annotated[str, text]


def _action(path: str, button: str, effect: str, turn: _Turn, outcome: str) -> Operation[BreakerForm]:
    def plan(room: AdminContext, form: BreakerForm) -> Plan:
        stands = _standing(breakers.named(room.services, form.name).snapshot())
        return Plan(f"{button} the breaker {form.name}?", button, (stands, effect))

    def carry_out(room: AdminContext, form: BreakerForm, by: str) -> str:
        return f"The breaker {turn(room.services, form.name, by).name} is {outcome}."

    return Operation(path, BreakerForm, plan, carry_out)


def _standing(snapshot: BreakerSnapshot) -> str:
    held = f", held by {snapshot.forced_by}" if snapshot.forced else ""
    return f"It is {snapshot.state.replace('_', ' ')}{held}; {plural(snapshot.failures, 'failure')} counted."


ACTIONS = (
    _action(
        "breaker-open",
        "Hold open",
        "No request goes out until somebody resets it; messages wait, and nothing is lost.",
        breakers.force_open,
        "held open",
    ),
    _action(
        "breaker-close",
        "Hold closed",
        "Every request goes out until somebody resets it, whatever fails.",
        breakers.force_closed,
        "held closed",
    ),
    _action(
        "breaker-reset",
        "Reset",
        "It closes, forgets its counts and decides by itself again.",
        breakers.reset,
        "reset",
    ),
)
