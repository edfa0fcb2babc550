"""Pause and resume a catalog, or all mail."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from actors.services import Services
from domain.errors import InvalidInputError
from domain.notification import MAIL
from domain.text import duration, format_time, plural
from operations.context import AdminContext
from operations.inputs import DurationText, Text
from operations.operation import Command, Operation, OperationResult, Option, Plan, PlanField
from store.audit import AuditEntry
from store.pauses import Pause

_LENGTHS = {"15m": "15 minutes", "1h": "1 hour", "4h": "4 hours", "1d": "1 day", "7d": "7 days"}


class PauseInput(Struct, frozen=True):
    """What to pause, for how long and why."""

    name: Text
    length: Annotated[DurationText, Option("How long: 90s, 15m, 2h or 3d.", "--for", is_required=True)] = "1h"
    reason: Annotated[Text, Option("Why, for everyone who is alerted.", is_required=True)] = "by hand"


class ResumeInput(Struct, frozen=True):
    """What to resume."""

    name: Text


def names(services: Services) -> tuple[str, ...]:
    """Return what can be paused: the catalogs, and mail."""
    return (*services.source_names, MAIL)


def _plan_pause(context: AdminContext, given: PauseInput) -> Plan:
    questions = (
        PlanField("length", "For", given.length, tuple(_LENGTHS.items())),
        PlanField("reason", "Why", given.reason),
    )
    title = f"Pause {_title(given.name)}"
    effects = _mail(context) if given.name == MAIL else _catalog(context, given.name)
    return Plan(f"{title}?", title, effects, questions)


def _mail(context: AdminContext) -> tuple[str, str]:
    pending = context.services.store.outbox.backlog().pending
    waiting = plural(pending, "notification is", "notifications are")
    return ("No student gets mail until then.", f"{waiting} waiting now; all of them leave afterwards.")


def _catalog(context: AdminContext, name: str) -> tuple[str, str]:
    audience = context.services.store.watches.audiences().get(name)
    people = 0 if audience is None else audience.people
    watching = plural(people, "person watches", "people watch")
    return (f"No request goes to {name} until then; due sections wait.", f"{watching} its sections.")


def _pause(context: AdminContext, given: PauseInput, entry: AuditEntry) -> OperationResult[Pause]:
    title = _title(given.name)
    if not given.reason.strip():
        raise InvalidInputError({"reason": "must say why"})
    until = entry.at + duration(given.length)
    pauses = context.services.store.pauses
    pause = pauses.pause(given.name, until, given.reason, entry.by, entry.at, entry)
    return OperationResult(f"Paused {title} until {format_time(pause.until)}.", pause)


def _plan_resume(context: AdminContext, given: ResumeInput) -> Plan:
    title = f"Resume {_title(given.name)}"
    pause = context.services.store.pauses.find(given.name)
    if pause is None:
        return Plan.nothing(f"{title}?", "It is not paused.")
    paused = f"{pause.by} paused it until {format_time(pause.until)} ({pause.reason})."
    return Plan(f"{title}?", title, (paused, "Waiting work is due at once."))


def _resume(context: AdminContext, given: ResumeInput, entry: AuditEntry) -> OperationResult[bool]:
    title = _title(given.name)
    was_paused = context.services.store.pauses.resume(given.name, entry)
    message = f"Resumed {title}." if was_paused else f"{title[0].upper()}{title[1:]} was not paused."
    return OperationResult(message, was_paused)


def _title(name: str) -> str:
    return "all mail" if name == MAIL else name


def _choices(context: AdminContext) -> dict[str, tuple[str, ...]]:
    return {"name": names(context.services)}


def _subject(given: PauseInput | ResumeInput) -> str:
    return MAIL if given.name == MAIL else f"source/{given.name}"


PAUSE = Operation(
    "source.pause",
    "Pause the catalog NAME, or mail: due work waits.",
    PauseInput,
    _subject,
    _plan_pause,
    _pause,
    choices=_choices,
    detail=lambda given: {"seconds": duration(given.length).total_seconds(), "reason": given.reason},
    commands=(
        Command("source pause"),
        Command("mail pause", {"name": MAIL}, "Pause all mail: due notifications wait."),
    ),
)
RESUME = Operation(
    "source.resume",
    "End the pause of NAME, regardless of who set it.",
    ResumeInput,
    _subject,
    _plan_resume,
    _resume,
    choices=_choices,
    commands=(
        Command("source resume"),
        Command("mail resume", {"name": MAIL}, "End the pause of mail, regardless of who set it."),
    ),
)
