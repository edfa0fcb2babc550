"""Stripe: verified payment events from webhooks, and refunds through Stripe's library."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from domain.errors import (
    InvalidInputError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
)
from domain.money import LOST_REFUND, Checkout, Payment, PaymentEvent, Prices, Refund, RefundState
from domain.plugin import Plugin, Ports
from domain.setting import BASE_URL, TOKEN, SettingsGroup, SettingType, setting
from providers.http import HttpClient, status_error
from providers.webhooks import TOLERANCE_SECONDS

if TYPE_CHECKING:
    from stripe import HTTPClient, StripeClient, StripeError

_TIMEOUT_SECONDS = 20.0
LONGEST_SECONDS = 2 * _TIMEOUT_SECONDS  # create and find
_ALREADY, _IN_USE = "charge_already_refunded", "idempotency_key_in_use"
_FIRST_SERVER_ERROR = 500
_MAX_REFUNDS = 100  # of one payment
MARK = "rollcall_session"
"""Metadata field of Rollcall's own refunds; its value is the checkout session."""
COMPLETED = "checkout.session.completed"
PAID_LATER = "checkout.session.async_payment_succeeded"
NOT_PAID = "checkout.session.async_payment_failed"
REFUND_EVENTS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
CHARGE_REFUNDED = "charge.refunded"
_ABOUT_CHECKOUT = {COMPLETED, PAID_LATER, NOT_PAID}
_PAID = {"paid", "no_payment_required"}


@dataclass(frozen=True, kw_only=True)
class StripeSettings(SettingsGroup):
    """Payments: Stripe."""

    webhook_secret: str | None = setting(
        "STRIPE_WEBHOOK_SECRET", TOKEN, secret=True, doc="verifies payment events", example="whsec_…"
    )
    secret_key: str | None = setting(
        "STRIPE_SECRET_KEY", TOKEN, secret=True, doc="refunds what cannot be delivered", unset="no refunds"
    )
    api_url: str | None = setting("STRIPE_API_URL", BASE_URL, doc="API at another address")
    prices: Prices | None = setting(
        "REPORT_PRICES",
        SettingType("`currency:amount`, separated by commas", Prices.parse),
        doc="allowed totals of a report, in the smallest unit of the currency",
        unset="not checked",
        example="usd:900,eur:850",
    )


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
        raise InvalidInputError({f"{prefix}{name}": "must be text"})
    return value


def _optional(value: object, field: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidInputError({field: "must be text"})
    return value or None


class KeySpentError(UpstreamError):
    """Stripe stored a failure under the idempotency key and has no refund: retry with another key.

    Source: https://docs.stripe.com/api/idempotent_requests - a key returns its stored 500 again.
    """


@dataclass(frozen=True)
class StripeRefunds:
    """Refunds payments in full. Each key, and each payment, is refunded at most once.

    Source: https://docs.stripe.com/api/refunds/create
    """

    secret_key: str = field(repr=False)
    api_url: str | None = None
    timeout_seconds: float = _TIMEOUT_SECONDS

    def create(self, payment: Payment, idempotency_key: str) -> Refund:
        """The refund of `payment`, which may be pending or failed.

        If Stripe answers that the key or the payment was used before, the existing refund is looked up.

        Raises: KeySpentError; TransientError if the outcome is unknown: retry with the same key;
        PermanentError if Stripe refuses the refund.
        """
        from stripe import StripeError  # noqa: PLC0415 - heavy

        try:
            made = self._client.v1.refunds.create(
                {"payment_intent": payment.payment or "", "metadata": {MARK: payment.session_id}},
                {"idempotency_key": idempotency_key},
            )
        except StripeError as error:
            if _code(error) == _ALREADY:
                return self._find(payment, is_refunded=True) or Refund(_ALREADY, RefundState.PENDING)
            if _is_spent(error):
                return self._existing(payment, error)
            raise _translate(error) from error
        return refund_of(made.to_dict())

    def find(self, payment: Payment) -> Refund | None:
        """The refund of `payment`, or None if there is none. Raises: as `create`."""
        return self._find(payment)

    def _find(self, payment: Payment, *, is_refunded: bool = False) -> Refund | None:
        from stripe import StripeError  # noqa: PLC0415 - heavy

        try:
            page = self._client.v1.refunds.list(
                {"payment_intent": payment.payment or "", "limit": _MAX_REFUNDS}
            )
        except StripeError as error:
            raise _translate(error) from error
        return _whole([refund_of(each.to_dict()) for each in page.data], payment, is_refunded=is_refunded)

    def _existing(self, payment: Payment, error: StripeError) -> Refund:
        found = self.find(payment)
        if found is None or found.state in LOST_REFUND:
            raise KeySpentError(f"{_message(error)}; Stripe has no such refund") from error
        return found

    @cached_property
    def _client(self) -> StripeClient:
        from stripe import StripeClient  # noqa: PLC0415

        http = HttpClient("Stripe", self.timeout_seconds, secrets=(self.secret_key,), is_repeatable=True)
        return StripeClient(
            self.secret_key,
            http_client=_transport(http),
            base_addresses={} if self.api_url is None else {"api": self.api_url},
            max_network_retries=0,
        )


def _transport(http: HttpClient) -> HTTPClient:
    """Stripe's library over `http`, whose errors pass through the library unchanged."""
    from stripe import HTTPClient  # noqa: PLC0415

    class Transport(HTTPClient):
        name = "rollcall"

        def request(
            self,
            method: str,
            url: str,
            headers: Mapping[str, str] | None,
            post_data: Any = None,
            *,
            _usage: list[str] | None = None,
        ) -> tuple[str, int, Mapping[str, str]]:
            response = http.request(method.upper(), url, (post_data or "").encode(), headers)
            return response.body.decode(errors="replace"), response.status, dict(response.headers())

    return Transport()


def _whole(refunds: Sequence[Refund], payment: Payment, *, is_refunded: bool) -> Refund | None:
    """The refund that completes `payment`'s return: ours, or the last partial one; else a lost one.

    If the amount of the payment is unknown, partial refunds cover it only if Stripe says so (`is_refunded`)
    or one of them is its known refund.
    """
    known = None if payment.refund is None else payment.refund.id
    active = [each for each in refunds if each.state not in LOST_REFUND]
    returned = sum(each.amount or 0 for each in active)
    is_all = is_refunded or (payment.amount is not None and returned >= payment.amount)
    if active and (is_all or any(each.is_ours for each in active)):
        return min(active, key=lambda each: (not each.is_ours, each.state is RefundState.SUCCEEDED))
    return next((each for each in refunds if each.id == known or each.is_ours), None)


def _is_spent(error: StripeError) -> bool:
    """Whether the key is used up: it holds a stored failure, or a request with other fields."""
    if (error.http_status or 0) >= _FIRST_SERVER_ERROR:
        return True
    kind = None if error.error is None else error.error.type
    return kind == "idempotency_error" and _code(error) != _IN_USE


def _code(error: StripeError) -> str | None:
    return error.code or (None if error.error is None else error.error.code)


def _message(error: StripeError) -> str:
    return f"Stripe: {error.http_status} {_code(error) or ''} {error.user_message or ''}".rstrip()


def _translate(error: StripeError) -> RollcallError:
    status = error.http_status or _FIRST_SERVER_ERROR
    if status == HTTPStatus.CONFLICT:  # a request with this key is in progress
        return UpstreamError(_message(error))
    return status_error(status, _message(error))


def _build(settings: StripeSettings, _ports: Ports) -> StripeRefunds:
    return StripeRefunds(settings.secret_key or "", settings.api_url)


PLUGIN = Plugin("stripe", StripeSettings, _build, key="STRIPE_SECRET_KEY", longest_seconds=LONGEST_SECONDS)
