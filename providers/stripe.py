"""Refunds through Stripe's library, and the settings of Stripe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from domain.errors import RollcallError, UpstreamError
from domain.money import LOST_REFUND, Payment, Prices, Refund, RefundState
from domain.plugin import Plugin, Ports
from domain.setting import BASE_URL, TOKEN, SettingsGroup, SettingType, setting
from providers.http import HttpClient, status_error
from providers.stripe_events import MARK, refund_of

if TYPE_CHECKING:
    from stripe import HTTPClient, StripeClient, StripeError

_TIMEOUT_SECONDS = 20.0
LONGEST_SECONDS = 2 * _TIMEOUT_SECONDS  # create and find
_ALREADY, _IN_USE = "charge_already_refunded", "idempotency_key_in_use"
_FIRST_SERVER_ERROR = 500
_MAX_REFUNDS = 100  # of one payment


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


class KeyUsedError(UpstreamError):
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

        If Stripe reports that the key or the payment was used before, the existing refund is looked up.

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
            raise KeyUsedError(f"{_message(error)}; Stripe has no such refund") from error
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
