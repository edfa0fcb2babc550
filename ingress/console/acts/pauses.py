"""Pause and resume a source, or all mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from actors.deliver import MAIL
from domain.errors import InvalidInputError
from domain.text import duration
from ingress.console.actions import Operation
from ingress.console.formatting import moment, plural
from ingress.console.plan import Plan, PlanField
from ingress.fields import one_of, text
from operations import pauses
from operations.operation import AdminContext

_LENGTHS = {"15m": "15 minutes", "1h": "1 hour", "4h": "4 hours", "1d": "1 day", "7d": "7 days"}


@dataclass(frozen=True, slots=True)
class PauseForm:
    """What to pause, for how long and why."""

    name: Annotated[str, text]
    length: Annotated[str, one_of(_LENGTHS)] = "1h"
    reason: Annotated[str, text] = "by hand"


@dataclass(frozen=True, slots=True)
class ResumeForm:
    """What to resume."""

    name: Annotated[str, text]


def _plan_pause(room: AdminContext, form: PauseForm) -> Plan:
    questions = (
        PlanField("length", "For", form.length, tuple(_LENGTHS.items())),
        PlanField("reason", "Why", form.reason),
    )
    what = _titled(room, form.name)
    effects = _mail(room) if form.name == MAIL else _source(room, form.name)
    return Plan(f"Pause {what}?", f"Pause {what}", effects, questions)


def _mail(room: AdminContext) -> tuple[str, str]:
    pending = room.services.store.outbox.backlog().pending
    waiting = plural(pending, "notification waits", "notifications wait")
    return ("No mail leaves to any student until then.", f"{waiting} at this moment; all go out afterwards.")


def _source(room: AdminContext, name: str) -> tuple[str, str]:
    audience = room.services.store.watches.audiences().get(name)
    people = 0 if audience is None else audience.people
    waiting = plural(people, "person watches", "people watch")
    return (f"{name} is asked for nothing until then; what is due waits.", f"{waiting} its sections.")


def _pause(room: AdminContext, form: PauseForm, by: str) -> str:
    kept = pauses.pause(room.services, form.name, duration(form.length), form.reason, by)
    return f"Paused: {_titled(room, form.name)}, until {moment(kept.until)} UTC."


def _plan_resume(room: AdminContext, form: ResumeForm) -> Plan:
    what = _titled(room, form.name)
    kept = room.services.store.pauses.find(form.name)
    if kept is None:
        return Plan(f"Resume {what}?", "", ("It is not paused; there is nothing to do.",))
    said = f"It was paused by {kept.by} until {moment(kept.until)} UTC ({kept.reason})."
    return Plan(f"Resume {what}?", f"Resume {what}", (said, "What was held back is due at once."))


def _resume(room: AdminContext, form: ResumeForm, by: str) -> str:
    was_paused = pauses.resume(room.services, form.name, by)
    return f"{'Resumed' if was_paused else 'Was not paused'}: {_titled(room, form.name)}."


def _titled(room: AdminContext, name: str) -> str:
    names = pauses.names(room.services)
    if name not in names:
        raise InvalidInputError({"name": f"must be one of {', '.join(names)}"})
    return "all mail" if name == MAIL else name


ACTIONS = (
    Operation("pause", PauseForm, _plan_pause, _pause),
    Operation("resume", ResumeForm, _plan_resume, _resume),
)
