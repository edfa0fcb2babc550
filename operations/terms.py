"""End terms that are over."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from actors.deliver import deliver
from domain.errors import InvalidInputError
from domain.text import plural
from operations.context import AdminContext
from operations.inputs import SourceName, Term
from operations.operation import Operation, OperationResult, Option, Plan
from store.audit import AuditEntry
from store.terms import EndedTerm


class TermInput(Struct, frozen=True):
    """The term, and whether to end it while the catalog still lists some of its sections."""

    source: SourceName
    term: Term
    force: Annotated[bool, Option("Also while the catalog still lists some of its sections.")] = False


def _plan(context: AdminContext, given: TermInput) -> Plan:
    listed, _ = _listed(context, given)
    sections = plural(listed, "watched section", "watched sections")
    effects = (
        "Every watch on its sections ends. Each person with an active watch gets one mail.",
        f"The catalog still lists {sections} of it."
        if listed
        else "The catalog no longer lists any of its watched sections.",
    )
    return Plan(f"End the term {given.source}/{given.term}?", "End the term", effects, is_irreversible=True)


def _end(context: AdminContext, given: TermInput, entry: AuditEntry) -> OperationResult[EndedTerm]:
    """End the term. Raises: InvalidInputError for one without watches, or still listed unless `force`."""
    listed, tracked = _listed(context, given)
    if listed and not given.force:
        raise InvalidInputError({"term": f"is still listed: {listed} of {tracked} sections"})
    term, name = (given.source, given.term), f"{given.source}/{given.term}"
    ended = context.services.store.terms.end(term, entry.at, entry)
    if not ended.watches:
        raise InvalidInputError({"term": f"no section of {name} is watched"})
    context.services.publish(deliver.message())
    extent = f"{plural(ended.watches, 'watch', 'watches')} of {plural(ended.people, 'person', 'people')}"
    return OperationResult(f"Ended the term {name}: {extent}.", ended, count=ended.watches)


def _listed(context: AdminContext, given: TermInput) -> tuple[int, int]:
    """Return how many of the term's watched sections are listed, and how many were ever seen."""
    presence = context.services.store.terms.all().get((given.source, given.term))
    return (0, 0) if presence is None else (presence.tracked - presence.missing, presence.tracked)


END = Operation(
    "term.end",
    "End all watches on TERM of SOURCE; each person with an active watch gets one mail.",
    TermInput,
    lambda given: f"term/{given.source}/{given.term}",
    _plan,
    _end,
)
