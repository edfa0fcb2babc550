"""Decide about the answers of a polled catalog that are withheld as doubtful."""

from __future__ import annotations

from functools import partial

from msgspec import Struct

from domain.catalog_poll import GuardState, TermPoll
from domain.errors import InvalidInputError
from domain.poll_judgement import WITHHELD
from domain.text import format_time
from operations.context import AdminContext
from operations.inputs import SourceName, Term
from operations.operation import Operation, OperationResult, Plan
from store.audit import AuditEntry


class GuardInput(Struct, frozen=True):
    """A term of a polled catalog."""

    source: SourceName
    term: Term


_VERBS = {GuardState.RELEASED: ("Release", "Released"), GuardState.DISCARDED: ("Discard", "Discarded")}
_EFFECTS = {
    GuardState.RELEASED: "The next poll is believed: it is recorded, and its openings are mailed.",
    GuardState.DISCARDED: "The next poll is believed, as the new baseline: what it changes is not mailed.",
}


def _plan(decision: GuardState, context: AdminContext, given: GuardInput) -> Plan:
    title = f"{_VERBS[decision][0]} the answers of {_name(given)}"
    state = _withheld(context, given)
    if state is None:
        return Plan.nothing(f"{title}?", "Its answers are not withheld.")
    return Plan(f"{title}?", title, (*reasons(state), _EFFECTS[decision]))


def reasons(state: TermPoll) -> tuple[str, ...]:
    """Return why the answers of a term are withheld, as sentences."""
    what = "Its alerts are frozen" if state.guard is GuardState.FROZEN else "A poll is held"
    since = "" if state.guard_since is None else f" since {format_time(state.guard_since)}"
    sample = () if state.guard_sample is None else (f"The answer is kept in {state.guard_sample}.",)
    return (f"{what}{since}: {(state.guard_reason or 'no reason is recorded').rstrip('.')}.", *sample)


def _decide(
    decision: GuardState, context: AdminContext, given: GuardInput, entry: AuditEntry
) -> OperationResult[bool]:
    """Raises: InvalidInputError if the answers are not withheld: it was decided, or it ended by itself."""
    term = (given.source, given.term)
    if not context.services.store.polls.decide(term, decision, entry.at, entry):
        raise InvalidInputError({"term": f"the answers of {_name(given)} are not withheld"})
    return OperationResult(f"{_VERBS[decision][1]} the answers of {_name(given)}.", value=True)


def _withheld(context: AdminContext, given: GuardInput) -> TermPoll | None:
    state = context.services.store.polls.find((given.source, given.term))
    return state if state is not None and state.guard in WITHHELD else None


def _name(given: GuardInput) -> str:
    return f"{given.source}/{given.term}"


def _operation(name: str, decision: GuardState, summary: str) -> Operation[GuardInput, bool]:
    return Operation(
        name,
        summary,
        GuardInput,
        lambda given: f"term/{_name(given)}",
        partial(_plan, decision),
        partial(_decide, decision),
    )


RELEASE = _operation(
    "catalog.release",
    GuardState.RELEASED,
    "Believe the withheld answers of SOURCE about TERM: the next poll mails their openings.",
)
DISCARD = _operation(
    "catalog.discard",
    GuardState.DISCARDED,
    "Take the next poll of SOURCE about TERM as a new baseline, without mail.",
)
