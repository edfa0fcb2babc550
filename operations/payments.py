"""Operator actions on payments."""

from __future__ import annotations

from actors.services import Services
from domain.errors import InvalidInputError
from operations.operation import entry


def resolve(services: Services, session_id: str, reason: str, by: str) -> None:
    """Mark a failed refund as resolved by an operator. Raises: InvalidInputError."""
    asked = entry(services, by, "payment.resolve", f"payment/{session_id}", reason=reason)
    if not services.store.refunds.resolve(session_id, services.clock.now(), asked):
        raise InvalidInputError({"session_id": "there is no such payment, or it has no refund"})
