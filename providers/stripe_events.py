"""Payment events from Stripe's webhooks, verified with Stripe's library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.errors import InvalidInputError, UnauthorisedError
from domain.money import Checkout, PaymentEvent, Refund, RefundState
from providers.webhooks import TOLERANCE_SECONDS, event_object, required_text

MARK = "rollcall_session"
"""Metadata field of Rollcall's own refunds; its value is the checkout session."""
COMPLETED = "checkout.session.completed"
PAID_LATER = "checkout.session.async_payment_succeeded"
NOT_PAID = "checkout.session.async_payment_failed"
REFUND_EVENTS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
CHARGE_REFUNDED = "charge.refunded"
_CHECKOUT_EVENTS = {COMPLETED, PAID_LATER, NOT_PAID}
_PAID = {"paid", "no_payment_required"}


@dataclass(frozen=True, slots=True)
class StripeEvents:
    """Reads Stripe's webhooks with Stripe's library, which takes 27 MB and is imported only here.

    The library reads the system clock.

    Source: https://docs.stripe.com/webhooks#verify-official-libraries
    """

    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        import stripe  # noqa: F401, PLC0415 - not during the first event

    def read(self, body: bytes, signature: str) -> PaymentEvent:
        """The event in `body`; `signature` is the header `Stripe-Signature`.

        Raises: UnauthorisedError if it is forged or older than five minutes; InvalidInputError, naming the
        field, if its shape is unexpected.
        """
        self._require_signed(body, signature)
        event = event_object(body)
        kind, event_id = required_text(event, "type"), required_text(event, "id")
        if kind in _CHECKOUT_EVENTS:
            return PaymentEvent(event_id, kind, _checkout(_subject(event)))
        if kind in REFUND_EVENTS or kind == CHARGE_REFUNDED:
            subject = _subject(event)
            payment = _optional(subject.get("payment_intent"), "data.object.payment_intent")
            refund = None if kind == CHARGE_REFUNDED else refund_of(subject)
            return PaymentEvent(event_id, kind, refunded=payment, refund=refund)
        return PaymentEvent(event_id, kind)

    def _require_signed(self, body: bytes, signature: str) -> None:
        from stripe import SignatureVerificationError, WebhookSignature  # noqa: PLC0415 - heavy

        if not signature.isascii():  # the library's comparison fails for non-ASCII text
            raise UnauthorisedError("the webhook's signature does not match")
        try:
            WebhookSignature.verify_header(body, signature, self.secret, TOLERANCE_SECONDS)
        except (SignatureVerificationError, UnicodeDecodeError):
            # Without its cause, which contains the body: private data of the customer.
            raise UnauthorisedError("the webhook's signature does not match") from None


def refund_of(refund: Mapping[str, Any]) -> Refund:
    """The refund that an object of Stripe's API describes. An unknown state counts as pending.

    Raises: InvalidInputError.
    """
    fields = dict(refund)
    status, amount = fields.get("status"), fields.get("amount")
    return Refund(
        id=required_text(fields, "id"),
        state=RefundState(status) if status in set(RefundState) else RefundState.PENDING,
        amount=amount if isinstance(amount, int) else None,
        reason=_optional(fields.get("failure_reason") or fields.get("pending_reason"), "failure_reason"),
        is_ours=MARK in (fields.get("metadata") or {}),
    )


def _subject(event: dict[str, Any]) -> dict[str, Any]:
    return _object(_object(event.get("data"), "data").get("object"), "data.object")


def _checkout(session: dict[str, Any]) -> Checkout:
    metadata = session.get("metadata") or {}
    customer = session.get("customer_details") or {}
    return Checkout(
        session_id=required_text(session, "id", "data.object."),
        is_paid=session.get("payment_status") in _PAID,
        payment=_optional(session.get("payment_intent"), "data.object.payment_intent"),
        email=_optional(
            _object(customer, "data.object.customer_details").get("email"),
            "data.object.customer_details.email",
        ),
        metadata={name: str(value) for name, value in _object(metadata, "data.object.metadata").items()},
        amount=_amount(session.get("amount_total")),
        currency=_optional(session.get("currency"), "data.object.currency"),
    )


def _amount(value: object) -> int | None:
    """An amount in the currency's smallest unit."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise InvalidInputError({"data.object.amount_total": "must be a whole number"})


def _object(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInputError({field: "must be an object"})
    return value


def _optional(value: object, field: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidInputError({field: "must be text"})
    return value or None
