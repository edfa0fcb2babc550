"""Choose the term of a polled catalog, and end terms that are over."""

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

_NAMED = 8


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


class TermChoice(Struct, frozen=True):
    """The term of a polled catalog to use from now on."""

    source: SourceName
    term: Term


def _plan_use(context: AdminContext, given: TermChoice) -> Plan:
    name, former = _checked(context, given)
    title = f"Use the term {name}?"
    if former == given.term:
        return Plan.nothing(title, "It is in use.")
    effects = ["It is polled daily, watched or not, and it is the term of links that state none."]
    if former is not None:
        effects.append(f"{former} is past: its watches stay until it is ended.")
    return Plan(title, "Use the term", tuple(effects))


def _use(context: AdminContext, given: TermChoice, entry: AuditEntry) -> OperationResult[None]:
    name, _ = _checked(context, given)
    context.services.store.catalog_terms.use(given.source, given.term, entry)
    return OperationResult(f"The term {name} is in use.", None)


def _checked(context: AdminContext, given: TermChoice) -> tuple[str, str | None]:
    """Return the name of the term, and the one in use.

    Raises: InvalidInputError if the catalog's list was read and does not have it.
    """
    store = context.services.store.catalog_terms
    known = [each.term.code for each in store.all(given.source)]
    if store.seen_at(given.source) is not None and given.term not in known:
        listed = ", ".join(known[:_NAMED])
        raise InvalidInputError({"term": f"{given.source} does not list {given.term}; it lists {listed}"})
    return f"{given.source}/{given.term}", store.current(given.source)


USE = Operation(
    "term.use",
    "Use TERM of the polled catalog SOURCE from now on.",
    TermChoice,
    lambda given: f"term/{given.source}/{given.term}",
    _plan_use,
    _use,
    choices=lambda context: {"source": tuple(context.services.catalogs)},
)
