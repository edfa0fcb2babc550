"""What Stripe tells of payments, once its signature holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.errors import InvalidInputError, UnauthorisedError
from domain.money import Checkout, PaymentEvent, Refund, RefundState

TOLERANCE_SECONDS = 300
MARK = "rollcall_session"
"""The metadata of Rollcall's own refunds: the checkout session."""
COMPLETED = "checkout.session.completed"
PAID_LATER = "checkout.session.async_payment_succeeded"
NOT_PAID = "checkout.session.async_payment_failed"
REFUND_EVENTS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
CHARGE_REFUNDED = "charge.refunded"
_ABOUT_CHECKOUT = {COMPLETED, PAID_LATER, NOT_PAID}
_PAID = {"paid", "no_payment_required"}


@dataclass(frozen=True, slots=True)
class StripeEvents:
    """Reads Stripe's webhooks with its own library, which is imported here: 27 MB for those who sell.

    The library reads the system's clock.

    Source: https://docs.stripe.com/webhooks#verify-official-libraries
    """

    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        import stripe  # noqa: F401, PLC0415 - now, and not while the first event waits

    def read(self, body: bytes, signature: str) -> PaymentEvent:
        """The event in `body`; `signature` is the header `Stripe-Signature`.

        Raises: UnauthorisedError when it is forged or older than five minutes; InvalidInputError, naming the
        field, when it is of another shape than agreed.
        """
        self._require_signed(body, signature)
        event = _object(_parsed(body), "body")
        kind = _text(event, "type")
        event_id = _text(event, "id")
        if kind in _ABOUT_CHECKOUT:
            return PaymentEvent(event_id, kind, _checkout(_subject(event)))
        if kind in REFUND_EVENTS or kind == CHARGE_REFUNDED:
            about = _subject(event)
            payment = _optional(about.get("payment_intent"), "data.object.payment_intent")
            refund = None if kind == CHARGE_REFUNDED else refund_of(about)
            return PaymentEvent(event_id, kind, refunded=payment, refund=refund)
        return PaymentEvent(event_id, kind)

    def _require_signed(self, body: bytes, signature: str) -> None:
        from stripe import SignatureVerificationError, WebhookSignature  # noqa: PLC0415 - heavy

        if not signature.isascii():  # the library compares texts, and has no answer to others
            raise UnauthorisedError("the webhook's signature does not hold")
        try:
            WebhookSignature.verify_header(body, signature, self.secret, TOLERANCE_SECONDS)
        except (SignatureVerificationError, UnicodeDecodeError):
            # Without its cause: that holds the body, which is a customer's business.
            raise UnauthorisedError("the webhook's signature does not hold") from None


def refund_of(told: Mapping[str, Any]) -> Refund:
    """The refund that an object of Stripe's API describes. A state that is unknown here is not done yet.

    Raises: InvalidInputError.
    """
    fields = dict(told)
    status, amount = fields.get("status"), fields.get("amount")
    return Refund(
        id=_text(fields, "id"),
        state=RefundState(status) if status in set(RefundState) else RefundState.PENDING,
        amount=amount if isinstance(amount, int) else None,
        reason=_optional(fields.get("failure_reason") or fields.get("pending_reason"), "failure_reason"),
        is_ours=MARK in (fields.get("metadata") or {}),
    )


def _subject(event: dict[str, Any]) -> dict[str, Any]:
    return _object(_object(event.get("data"), "data").get("object"), "data.object")


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError({"body": "must be JSON"}) from error


def _checkout(session: dict[str, Any]) -> Checkout:
    metadata = session.get("metadata") or {}
    customer = session.get("customer_details") or {}
    return Checkout(
        session_id=_text(session, "id", "data.object."),
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


def _text(fields: dict[str, Any], name: str, prefix: str = "") -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInputError({f"{prefix}{name}": "must be a text"})
    return value


def _optional(value: object, field: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidInputError({field: "must be a text"})
    return value or None
