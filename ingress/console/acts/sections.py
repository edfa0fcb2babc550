"""Check one section now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from domain.section import SectionKey
from ingress import fields
from ingress.console.actions import Operation
from ingress.console.plan import Plan
from operations import section_check
from operations.operation import AdminContext


@dataclass(frozen=True, slots=True)
class SectionForm:
    """The section."""

    source: Annotated[str, fields.source]
    term: Annotated[str, fields.term]
    section: Annotated[str, fields.section]

    @property
    def key(self) -> SectionKey:
        """The section's identity."""
        return SectionKey(self.source, self.term, self.section)


def _plan(_: AdminContext, form: SectionForm) -> Plan:
    effects = (
        f"{form.source} is asked for this section once, through its breaker, even where it is paused.",
        "What it shows is stored as a run would store it: a change is news to whoever waits for it.",
        "That it has no such section is told here, and not stored.",
    )
    return Plan(f"Check {form.key} now?", "Check now", effects)


def _check(room: AdminContext, form: SectionForm, by: str) -> str:
    told = section_check.check(room.services, form.key, by, origin="console")
    return f"{form.key}: {section_check.words(told)}."


ACTIONS = (Operation("section-check", SectionForm, _plan, _check),)
