"""Operator actions on payments."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from domain.errors import InvalidInputError
from operations.context import AdminContext, Surface
from operations.inputs import Text
from operations.operation import Operation, OperationResult, Option, Plan
from store.audit import AuditEntry


class ResolveInput(Struct, frozen=True):
    """The payment, and how its failed refund was settled."""

    session_id: Text
    reason: Annotated[Text, Option("How; the audit log shows it.", "--reason")]


def _plan(_: AdminContext, given: ResolveInput) -> Plan:
    effect = "The refund counts as settled and no longer raises an alert. No money moves."
    return Plan(f"Mark the refund of {given.session_id} as settled?", "Mark as settled", (effect,))


def _resolve(context: AdminContext, given: ResolveInput, entry: AuditEntry) -> OperationResult[None]:
    if not context.services.store.refunds.resolve(given.session_id, entry.at, entry):
        raise InvalidInputError({"session_id": "there is no such payment, or it has no refund"})
    return OperationResult(f"Marked the refund of {given.session_id} as settled.", None)


RESOLVE = Operation(
    "payment.resolve",
    "Mark the failed refund of SESSION_ID as settled by hand; it no longer raises an alert.",
    ResolveInput,
    lambda given: f"payment/{given.session_id}",
    _plan,
    _resolve,
    detail=lambda given: {"reason": given.reason},
    surfaces=frozenset({Surface.CLI, Surface.API}),
)
