"""End a term that is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ingress import fields
from ingress.console.actions import Operation
from ingress.console.formatting import plural
from ingress.console.plan import Plan
from operations import terms
from operations.operation import AdminContext


@dataclass(frozen=True, slots=True)
class TermForm:
    """The term and its source."""

    source: Annotated[str, fields.source]
    term: Annotated[str, fields.term]


def _plan(room: AdminContext, form: TermForm) -> Plan:
    presence = terms.presence_of(room.services, form.source, form.term)
    listed = 0 if presence is None else presence.tracked - presence.missing
    effects = (
        "Every watch on its sections ends. Each person who has any is mailed once.",
        f"The catalog still lists {plural(listed, 'watched section', 'watched sections')} of it."
        if listed
        else "The catalog lists none of its watched sections any more.",
    )
    return Plan(f"End the term {form.source}/{form.term}?", "End the term", effects, is_grave=True)


def _end(room: AdminContext, form: TermForm, by: str) -> str:
    ended = terms.end(room.services, form.source, form.term, by, force=True)
    what = f"{plural(ended.watches, 'watch', 'watches')} of {plural(ended.people, 'person', 'people')}"
    return f"The term {form.source}/{form.term} has ended: {what}."


ACTIONS = (Operation("term-end", TermForm, _plan, _end),)
