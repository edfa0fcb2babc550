"""Trigger a run of checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from domain.section import Stagger
from ingress.console.actions import Operation
from ingress.console.formatting import plural
from ingress.console.plan import Plan, PlanField
from ingress.fields import one_of
from operations import runs
from operations.operation import AdminContext

_AUTO = "auto"
_HALVES = (
    (_AUTO, "the half that was due last"),
    (Stagger.ALL.value, "all sections"),
    (Stagger.EVEN.value, "even sections"),
    (Stagger.ODD.value, "odd sections"),
)


@dataclass(frozen=True, slots=True)
class RunForm:
    """The sections to check."""

    stagger: Annotated[str, one_of((_AUTO, *Stagger))] = _AUTO


def _plan(room: AdminContext, form: RunForm) -> Plan:
    services = room.services
    due = len(services.store.sections.due(Stagger.ALL, services.sources, services.clock.now()))
    effects = (
        f"{plural(due, 'section is', 'sections are')} watched; a half is about half of them.",
        "What an earlier run still checks is left to it. Watchers hear of every change that is found.",
    )
    return Plan(
        "Check sections now?", "Check now", effects, (PlanField("stagger", "Check", form.stagger, _HALVES),)
    )


def _carry_out(room: AdminContext, form: RunForm, by: str) -> str:
    half = None if form.stagger == _AUTO else Stagger(form.stagger)
    run, _ = runs.trigger(room.services, half, by, origin="console", force=True)
    return f"Run {run.id[:8]} ({run.stagger}) is queued."


ACTIONS = (Operation("run", RunForm, _plan, _carry_out),)
