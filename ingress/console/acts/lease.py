"""Release the cron lease."""

from __future__ import annotations

from ingress.console.actions import Operation
from ingress.console.formatting import holder, moment, seconds
from ingress.console.plan import Plan
from ingress.forms import Nothing
from operations import runs
from operations.operation import AdminContext


def _plan(room: AdminContext, _: Nothing) -> Plan:
    held, title = room.services.cron_lease.held(), "Release the cron lease?"
    if held is None:
        return Plan(title, "", ("Nobody holds it; there is nothing to do.",))
    effects = (
        f"{holder(held)} has held it since {moment(held.since)} UTC.",
        f"Left alone, it ends in {seconds(held.expires_in_seconds)}.",
        "A dispatcher that still works under it changes nothing any more; another run may begin.",
    )
    return Plan(title, "Release", effects, is_grave=True)


def _carry_out(room: AdminContext, _: Nothing, by: str) -> str:
    held = runs.release(room.services, by)
    return "Nobody held the cron lease." if held is None else f"The cron lease is taken from {holder(held)}."


ACTIONS = (Operation("lease-release", Nothing, _plan, _carry_out),)
