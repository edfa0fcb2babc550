"""Start a fire drill: follow one section of a polled catalog to a test mail."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from actors.catalog_drill import run_drill
from domain.address import checked_address
from operations.context import AdminContext
from operations.inputs import SourceName, Term
from operations.operation import Operation, OperationResult, Option, Plan, PlanField
from store.audit import AuditEntry
from store.catalogs.drills import Drill


class DrillInput(Struct, frozen=True):
    """The catalog, and where the mail of the drill goes; without an address it is only written."""

    source: SourceName
    to: Annotated[str, Option("The address of the test mail; without it nothing is sent.")] = ""
    term: Annotated[
        Term | None, Option("The term; by default the one in use, or the first that is open.")
    ] = None


def _plan(_: AdminContext, given: DrillInput) -> Plan:
    effects = (
        f"A few requests go to {given.source}: its terms, and one query of one term.",
        "The first open section in it becomes a test mail.",
        "Nothing is recorded about the section, and no watcher is notified.",
    )
    questions = (PlanField("to", "To (empty: nothing is sent)", given.to),)
    return Plan(f"Follow a section of {given.source} to a mail?", "Start the drill", effects, questions)


def _drill(context: AdminContext, given: DrillInput, entry: AuditEntry) -> OperationResult[Drill]:
    """Raises: InvalidInputError for a bad address or term. Any other failure is the result of the drill."""
    to = checked_address("to", given.to) if given.to else ""
    drill = run_drill(context.services, given.source, to=to, term=given.term, entry=entry)
    return OperationResult(_sentence(drill, to), drill, [_row(drill)], is_success=drill.error is None)


def _sentence(drill: Drill, to: str) -> str:
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in drill.seconds.items()) or "no stage"
    if drill.error is not None:
        return f"The drill of {drill.source} failed after {stages}: {drill.error.rstrip('.')}."
    sent = f"sent to {to}" if to else "written and not sent"
    return f"Section {drill.section} of {drill.source} in {drill.term} was {sent}: {stages}."


def _row(drill: Drill) -> dict[str, object]:
    return {
        "source": drill.source,
        "at": drill.at,
        "term": drill.term,
        "section": drill.section,
        "seconds": dict(drill.seconds),
        "fault": drill.fault,
        "error": drill.error,
    }


DRILL = Operation(
    "catalog.drill",
    "Follow an open section of SOURCE to a test mail, and measure each stage.",
    DrillInput,
    lambda given: f"source/{given.source}",
    _plan,
    _drill,
    choices=lambda context: {"source": tuple(context.services.catalogs)},
)
