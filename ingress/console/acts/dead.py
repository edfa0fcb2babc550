"""Requeue or purge dead letters: at most a thousand at once, at a limited rate."""

from __future__ import annotations

from collections.abc import Callable

from ingress.console.actions import Operation
from ingress.console.formatting import plural
from ingress.console.plan import Plan
from ingress.console.selection import DeadLettersInput
from operations import dead_letters
from operations.operation import AdminContext

_AT_ONCE, _PER_SECOND = 1000, 100.0


def _action(
    path: str, verb: str, outcome: str, effect: str, act: Callable[..., int]
) -> Operation[DeadLettersInput]:
    def plan(room: AdminContext, form: DeadLettersInput) -> Plan:
        count = dead_letters.count(room, form.selection)
        title = f"{verb} {plural(min(count, _AT_ONCE), 'dead letter')}?"
        if not count:
            return Plan(f"{verb} dead letters?", "", ("No dead letter matches; there is nothing to do.",))
        told = [f"{plural(count, 'dead letter matches', 'dead letters match')} the filter."]
        if form.exact_cause is not None:
            told.append(f"They died of this cause alone: {form.exact_cause}.")
        if count > _AT_ONCE:
            told.append(f"The oldest {_AT_ONCE} are taken, {_PER_SECOND:.0f} a second; do it again for more.")
        return Plan(title, verb, (*told, effect), is_grave=act is dead_letters.purge)

    def carry_out(room: AdminContext, form: DeadLettersInput, by: str) -> str:
        done = act(room, form.selection, by, per_second=_PER_SECOND, limit=_AT_ONCE)
        return f"{plural(done, 'dead letter is', 'dead letters are')} {outcome}."

    return Operation(path, DeadLettersInput, plan, carry_out)


ACTIONS = (
    _action(
        "dead-retry",
        "Retry",
        "back in the queues",
        "They go back to their queues as new. No mail leaves twice: the database knows what was sent.",
        dead_letters.retry,
    ),
    _action(
        "dead-purge",
        "Delete",
        "deleted",
        "What the database holds as pending stays pending; only the messages go.",
        dead_letters.purge,
    ),
)
