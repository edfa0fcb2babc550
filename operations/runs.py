"""Trigger a run of section checks, and release the cron lease."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from typing import Annotated

from msgspec import Struct

from actors.dispatch import trigger_run
from domain.run import Run
from domain.section import Stagger
from domain.text import format_duration, format_time, plural
from operations.context import AdminContext
from operations.operation import Command, NoInput, Operation, OperationResult, Option, Plan, PlanField
from resilience.lease import LeaseHolder
from store.audit import AuditEntry


class StaggerChoice(StrEnum):
    """The sections of a run; auto is what is due: the half that was due last, or by the check schedule."""

    AUTO = "auto"
    EVEN = Stagger.EVEN.value
    ODD = Stagger.ODD.value
    ALL = Stagger.ALL.value


class RunInput(Struct, frozen=True):
    """The sections to check, and whether to repeat a slot that had its run."""

    stagger: Annotated[
        StaggerChoice,
        Option(
            "Which sections, by their last digit; auto is the half that was due last, or with"
            " CHECK_SCHEDULE=budget what the check schedule chooses."
        ),
    ] = StaggerChoice.AUTO
    force: Annotated[bool, Option("Also if this slot has had its run.")] = False


_HALVES = (
    (StaggerChoice.AUTO.value, "what is due"),
    (StaggerChoice.ALL.value, "all sections"),
    (StaggerChoice.EVEN.value, "even sections"),
    (StaggerChoice.ODD.value, "odd sections"),
)


def _plan_run(context: AdminContext, given: RunInput) -> Plan:
    services = context.services
    due = len(services.store.sections.due(Stagger.ALL, services.sources, services.clock.now()))
    effects = (
        f"{plural(due, 'section is', 'sections are')} watched; a half is about half of them.",
        "Sections that an earlier run is still checking are left to it. Watches are notified of changes.",
    )
    question = PlanField("stagger", "Check", given.stagger, _HALVES)
    return Plan("Check sections now?", "Check now", effects, (question,), count=due)


def _run(context: AdminContext, given: RunInput, entry: AuditEntry) -> OperationResult[tuple[Run, bool]]:
    half = None if given.stagger is StaggerChoice.AUTO else Stagger(given.stagger)
    run, created = trigger_run(context.services, context.surface, half, force=given.force, entry=entry)
    if created:
        message = f"Queued run {run.id} ({run.stagger})."
    elif run.stagger is Stagger.BUDGET:
        message = f"No further check is due after run {run.id} ({run.state}); force starts another."
    else:
        message = f"This slot already has run {run.id} ({run.state}); force starts another."
    return OperationResult(message, (run, created), [asdict(run)])


def _plan_release(context: AdminContext, _: NoInput) -> Plan:
    held, title = context.services.cron_lease.held(), "Release the cron lease?"
    if held is None:
        return Plan.nothing(title, "It is not held.")
    effects = (
        f"{held} has held it since {format_time(held.since)}.",
        f"Otherwise it expires in {format_duration(held.expires_in_seconds)}.",
        "A dispatcher that still works under it can change nothing; another run may begin.",
    )
    return Plan(title, "Release", effects, is_irreversible=True)


def _release(context: AdminContext, _: NoInput, entry: AuditEntry) -> OperationResult[LeaseHolder | None]:
    lease = context.services.cron_lease
    held = lease.held()
    if held is None:
        return OperationResult("The cron lease was not held.", None)
    context.record(
        replace(entry, subject=f"lease/{lease.name}", detail={"holder": dict(held.holder)}),
    )
    released = lease.force_release(entry.by)
    return OperationResult(f"Released the cron lease; {held} held it.", released)


TRIGGER = Operation(
    "run.trigger",
    "Check sections now.",
    RunInput,
    lambda _: "run",
    _plan_run,
    _run,
    detail=lambda given: {"stagger": given.stagger, "force": given.force},
    commands=(Command("cron run"),),
)
RELEASE_LEASE = Operation(
    "lease.release",
    "Release the cron lease, regardless of its holder; a dispatcher that still runs can change nothing.",
    NoInput,
    lambda _: "lease",
    _plan_release,
    _release,
    commands=(Command("lock release"),),
)
